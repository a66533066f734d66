"""Passwords, keys, encryption and throttles. Knows nothing of users."""
