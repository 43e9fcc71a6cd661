"""Sources on their way in."""
