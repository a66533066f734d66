"""Emails: queued in the transaction that causes them, delivered afterwards."""
