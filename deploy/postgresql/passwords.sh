#!/bin/sh
# Sets the passwords of both roles from the secrets. The entry point of the PostgreSQL image runs it once, after roles.sql.
set -eu
psql --username postgres --dbname "$POSTGRES_DB" --quiet --set ON_ERROR_STOP=1 \
    --set owner="$(cat /run/secrets/owner_password)" --set service="$(cat /run/secrets/service_password)" <<'SQL'
ALTER ROLE userapi_owner PASSWORD :'owner';
ALTER ROLE userapi PASSWORD :'service';
SQL
