"""What jobs made, on its way out."""
