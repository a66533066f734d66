-- Two roles, so that a hole in the web side cannot change a table: `userapi_owner` migrates, `userapi` serves.
-- Run once by a superuser of PostgreSQL, connected to the database of the service; then give both a password.

CREATE ROLE userapi_owner LOGIN;
CREATE ROLE userapi LOGIN;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO userapi_owner;
GRANT USAGE ON SCHEMA public TO userapi;

ALTER DEFAULT PRIVILEGES FOR ROLE userapi_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO userapi;
ALTER DEFAULT PRIVILEGES FOR ROLE userapi_owner GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO userapi;

-- What a connection pooler in transaction mode keeps the service from setting for itself.
ALTER ROLE userapi SET statement_timeout = '15s';
ALTER ROLE userapi SET timezone = 'UTC';
