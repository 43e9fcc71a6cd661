"""Models, queue, storage and settings that every Mediamill service shares."""
