"""Invitations: links by email with which someone opens an account, which does not exist before (decision 0094)."""
