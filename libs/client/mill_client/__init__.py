"""The Mediamill SDK and the mill command."""
