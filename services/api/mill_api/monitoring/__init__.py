"""What runs, what ran, how long it took and what went wrong."""
