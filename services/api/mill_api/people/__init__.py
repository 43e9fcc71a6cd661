"""People: users with passwords and roles, and their sessions."""
