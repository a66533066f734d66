"""Users with profiles."""
