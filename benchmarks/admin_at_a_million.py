"""The cost of the staff site's pages with a million accounts, and the memory of an export.

    python benchmarks/admin_at_a_million.py [number of accounts] [postgresql | sqlite]

Starts its own PostgreSQL, unless SQLite is chosen, inserts the users directly, and requests each page 15 times, all in
this process. The bar is 100 ms for each page.
"""

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / part) for part in ("", "deploy")]

import sqlalchemy as sa  # noqa: E402
from flask_migrate import upgrade  # noqa: E402

from tests.support import servers  # noqa: E402
from tests.support.app_config import app_config  # noqa: E402
from tests.support.staff_client import StaffClient, staff_client  # noqa: E402
from userapi.app import create_app  # noqa: E402
from userapi.core.db import db  # noqa: E402
from userapi.security import signing_keys  # noqa: E402

REPEATS = 15
BAR = 100.0

FILL: dict[str, tuple[str, ...]] = {}
FILL["postgresql"] = (
    """
    INSERT INTO users (email, email_key, first_name, last_name, first_name_key, last_name_key, session_version,
                       is_active, is_staff, is_superuser, email_verified_at, date_joined, last_login)
    SELECT 'user' || n || '@example.com', 'user' || n || '@example.com',
           'First' || n % 5000, 'Last' || n % 50000, 'first' || n % 5000, 'last' || n % 50000, 0,
           n % 50 <> 0, n % 20000 = 0, false, CASE WHEN n % 3 = 0 THEN now() END,
           now() - (n::bigint * 7919 % 100000000) * interval '1 second', CASE WHEN n % 2 = 0 THEN now() END
    FROM generate_series(1, :number) AS n
    """,
    """
    INSERT INTO user_profiles (user_id, title, dob, address, country, city, zip)
    SELECT id, 'Ms', date '1990-12-10', '12 Pulteney Street', 'Country ' || id % 200, 'Bath', 'BA2 4' FROM users
    """,
    "ANALYZE",
)
FILL["sqlite"] = (
    """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :number)
    INSERT INTO users (email, email_key, first_name, last_name, first_name_key, last_name_key, session_version,
                       is_active, is_staff, is_superuser, email_verified_at, date_joined, last_login)
    SELECT 'user' || n || '@example.com', 'user' || n || '@example.com',
           'First' || (n % 5000), 'Last' || (n % 50000), 'first' || (n % 5000), 'last' || (n % 50000), 0,
           n % 50 <> 0, n % 20000 = 0, 0, CASE WHEN n % 3 = 0 THEN '2026-11-29 12:00:00.000000' END,
           datetime('now', '-' || (n * 7919 % 100000000) || ' seconds') || '.000000',
           CASE WHEN n % 2 = 0 THEN '2026-11-29 12:00:00.000000' END
    FROM numbers
    """,
    """
    INSERT INTO user_profiles (user_id, title, dob, address, country, city, zip)
    SELECT id, 'Ms', '1990-12-10', '12 Pulteney Street', 'Country ' || (id % 200), 'Bath', 'BA2 4' FROM users
    """,
    "ANALYZE",
)

PAGES = {
    "overview": "/admin/",
    "first page": "/admin/users/",
    "first page by email": "/admin/users/?ordering=email",
    "first page by last sign-in": "/admin/users/?ordering=-last_login",
    "search: one email": "/admin/users/?search=user987654@",
    "search: beginning of emails": "/admin/users/?search=user98765",
    "search: broad beginning": "/admin/users/?search=user9",
    "search: by last name": "/admin/users/?search=last4999",
    "search: in every email": "/admin/users/?search=example.com",
    "search: in one email of 1,000": "/admin/users/?search=987@",
    "search: in one last name of 50": "/admin/users/?search=ast49",
    "search: two words": "/admin/users/?search=first12+last49",
    "search: common, and staff": "/admin/users/?search=example.com&is_staff=true",
    "search: two characters": "/admin/users/?search=us",
    "largest pages": "/admin/users/?size=200",
    "search: no result": "/admin/users/?search=zzz",
    "filter: staff": "/admin/users/?is_staff=true",
    "filter: superusers": "/admin/users/?is_superuser=true",
    "filter: inactive": "/admin/users/?is_active=false",
    "filter: unconfirmed": "/admin/users/?email_verified=false",
    "filter: country": "/admin/users/?country=Country+42",
    "filter: joined in a week": "/admin/users/?joined_from=2026-01-01&joined_to=2026-01-07&ordering=email",
    "audit": "/admin/audit/",
    "sessions": "/admin/sessions/",
}


@contextmanager
def _new_database(kind: str, folder: str) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/userapi.db"
        return
    with servers.postgresql() as url:
        yield url


def main(number: int, kind: str) -> int:
    """Print a line for each page; returns 1 if a page is too slow."""
    with tempfile.TemporaryDirectory() as folder, _new_database(kind, folder) as url:
        signing_keys.KeyRing(Path(folder)).add()
        app = create_app(app_config(url, folder, LOG_LEVEL="ERROR"))
        with app.app_context():
            upgrade()
            started = time.perf_counter()
            if kind == "postgresql":
                db.session.execute(sa.text("SET statement_timeout = 0"))
            for statement in FILL[kind]:
                db.session.execute(sa.text(statement), {"number": number} if ":number" in statement else {})
            db.session.commit()
            print(f"{number:,} accounts made in {time.perf_counter() - started:.0f} s")
        boss = staff_client(app, is_staff=True, is_superuser=True)
        slow = [name for name, path in PAGES.items() if _median(boss, name, path) > BAR]
        slow += _deep(boss)
        _export(boss)
    if slow:
        print("over the bar:", ", ".join(slow))
    return 1 if slow else 0


def _median(boss: StaffClient, name: str, path: str) -> float:
    times = []
    for _repeat in range(REPEATS):
        started = time.perf_counter()
        answer = boss.get(path)
        times.append((time.perf_counter() - started) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{path}: {answer.status_code}")
    print(f"{name:30} median {statistics.median(times):7.1f} ms   slowest {max(times):7.1f} ms", flush=True)
    return statistics.median(times)


def _deep(boss: StaffClient) -> list[str]:
    """Measure a later page, whose URL is known only from the page before; it must cost the same as the first."""
    path = "/admin/users/?ordering=email"
    for _page in range(20):
        text = boss.get(path).text
        path = "/admin/users/?" + text.partition('rel="next" href="?')[2].partition('"')[0].replace("&amp;", "&")
    return ["page 21 by email"] if _median(boss, "page 21 by email", path) > BAR else []


def _export(boss: StaffClient) -> None:
    data = {"action": "export_csv", "all": "true", "csrf_token": boss.csrf}
    before, started = _memory(), time.perf_counter()
    answer: Any = boss.client.post("/admin/users/act/", data=data, buffered=False)
    rows = sum(piece.count(b"\n") for piece in answer.response) - 1
    seconds = time.perf_counter() - started
    print(
        f"export of {rows:,} users: {seconds:.0f} s, {rows / seconds:,.0f} a second, {_memory() - before:.0f} MB more"
    )


def _memory() -> float:
    """The peak memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    chosen = dict(enumerate(sys.argv))
    sys.exit(main(int(chosen.get(1, 1_000_000)), chosen.get(2, "postgresql")))
