"""Mediamill on one machine, in one process."""
