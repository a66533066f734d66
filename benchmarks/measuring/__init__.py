"""The runner: PostgreSQL, the services, the load generator and the report."""
