"""Actions on many accounts: those that do not fit into one request are jobs for a worker."""
