-- Two roles: `userapi_owner` migrates, `userapi` serves. So an attacker who controls the service cannot change the tables.
-- Run this once as a superuser of PostgreSQL, connected to the database of the service. Then set a password for both roles.

CREATE ROLE userapi_owner LOGIN;
CREATE ROLE userapi LOGIN;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO userapi_owner;
GRANT USAGE ON SCHEMA public TO userapi;

ALTER DEFAULT PRIVILEGES FOR ROLE userapi_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO userapi;
ALTER DEFAULT PRIVILEGES FOR ROLE userapi_owner GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO userapi;

-- Searches for contained text need this extension. `userapi_owner` may not create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- The service cannot set these itself behind a connection pooler in transaction mode.
ALTER ROLE userapi SET statement_timeout = '15s';
ALTER ROLE userapi SET timezone = 'UTC';
