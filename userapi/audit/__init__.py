"""The audit log, whose events outlive their actors and their targets."""
