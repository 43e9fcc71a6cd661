"""Programs that made what ships with Mediamill. Nothing that ships imports them."""
