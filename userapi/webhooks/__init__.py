"""Webhooks: events of the audit log, sent to the URLs of other services (decision 0085)."""
