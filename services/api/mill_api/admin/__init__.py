"""What operators and administrators see of all owners' work, and do with it."""
