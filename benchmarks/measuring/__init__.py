"""The runner: a PostgreSQL, the services, a load generator, and what came of it."""
