"""Any number of users with a profile, a session and an event each, inserted by SQL before the indexes are built."""

import sqlalchemy as sa

from userapi.core.db import db

TABLES = ("users", "user_profiles", "login_sessions", "audit_events")

#: Indexes that are built after the rows were inserted, which is many times as fast.
INDEXES = sa.text(
    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(:tables) AND indexname NOT LIKE 'pk\\_%' "
    "AND indexname NOT LIKE 'uq\\_%'"
)

ROWS = (
    """
    INSERT INTO users (email, email_key, first_name, last_name, first_name_key, last_name_key, session_version,
                       password_hash, is_active, is_staff, is_superuser, email_verified_at, date_joined, last_login)
    SELECT 'user' || n || '@example.com', 'user' || n || '@example.com',
           'First' || n % 5000, 'Last' || n % 50000, 'first' || n % 5000, 'last' || n % 50000, 0,
           '$argon2id$v=19$m=19456,t=2,p=1$' || md5(n::text) || '$' || md5(n::text) || '00000000000',
           n % 50 <> 0, n % 20000 = 0, false, CASE WHEN n % 3 = 0 THEN now() END,
           now() - (n::bigint * 7919 % 100000000) * interval '1 second',
           CASE WHEN n % 2 = 0 THEN now() - (n::bigint * 104729 % 30000000) * interval '1 second' END
    FROM generate_series(1, :number) AS n
    """,
    """
    INSERT INTO user_profiles (user_id, title, dob, address, country, city, zip)
    SELECT id, 'Ms', date '1990-12-10', '12 Pulteney Street', 'Country ' || id % 200, 'Bath', 'BA2 4' FROM users
    """,
    """
    INSERT INTO login_sessions (id, user_id, session_version, refresh_jti, refreshed_at, created_at, last_used_at,
                                expires_at, address, user_agent)
    SELECT gen_random_uuid(), n, 0, gen_random_uuid(), now(), now() - n * interval '1 ms', now(),
           now() + interval '90 days' - n * interval '1 ms', '192.0.2.1', 'Mozilla/5.0 (X11; Linux x86_64)'
    FROM generate_series(1, :number) AS n
    """,
    """
    INSERT INTO audit_events (occurred_at, action, actor_id, target_kind, target_id, address, request_id, origin)
    SELECT now() - (:number - n) * interval '10 ms',
           (array['session.started', 'session.ended', 'user.changed', 'user.registered', 'sign_in.failed'])[n % 5 + 1],
           n, 'user', n::text, '192.0.2.1', md5(n::text), 'api'
    FROM generate_series(1, :number) AS n
    """,
)


def fill(number: int) -> None:
    """Fill an empty database; nothing is done if it has that many users."""
    filled = "SELECT count(*) FROM (SELECT 1 FROM users LIMIT :number) AS found"
    if db.session.scalar(sa.text(filled), {"number": number}) == number:
        db.session.rollback()
        return
    for setting in ("statement_timeout = 0", "maintenance_work_mem = '1GB'", "max_parallel_maintenance_workers = 0"):
        db.session.execute(sa.text(f"SET LOCAL {setting}"))
    indexes = db.session.execute(INDEXES, {"tables": list(TABLES)}).all()
    for index in indexes:
        db.session.execute(sa.text(f"DROP INDEX {index.indexname}"))
    for statement in ROWS:
        db.session.execute(sa.text(statement), {"number": number} if ":number" in statement else {})
    for index in indexes:
        db.session.connection().exec_driver_sql(index.indexdef)
    db.session.commit()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.exec_driver_sql("VACUUM ANALYZE")
