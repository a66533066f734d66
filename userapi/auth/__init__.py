"""Proving that a caller is this person, now: sign-in, sessions, tokens, passwords."""
