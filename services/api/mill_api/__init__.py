"""The HTTP gateway of Mediamill."""
