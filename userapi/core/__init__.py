"""What all other folders need. Knows nothing of users."""
