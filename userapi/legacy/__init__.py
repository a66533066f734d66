"""Unchanged clients of the Django service that this one replaces (`LEGACY_CLIENTS`, decision 0092).

Requests and responses are translated here, and no rule is: whatever is decided, other folders decide.
"""
