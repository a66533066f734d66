"""The cost of own profile fields with a million accounts: indexing them, and filters and searches by them.

    python benchmarks/own_fields_at_a_million.py [number of accounts] [postgresql | sqlite]

Starts its own PostgreSQL, unless SQLite is chosen, inserts the users directly and indexes the fields while another
client edits users. Then it requests each list 15 times and prints the plan of its first page.
"""

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / part) for part in ("", "deploy")]

import sqlalchemy as sa  # noqa: E402
from admin_at_a_million import FILL, REPEATS, _memory, _new_database  # noqa: E402
from flask import Flask  # noqa: E402
from flask_migrate import upgrade  # noqa: E402

from tests.support.api_client import ApiClient, ApiUser, sign_in  # noqa: E402
from tests.support.app_config import app_config  # noqa: E402
from tests.support.factories import PASSWORD, make_user  # noqa: E402
from tests.support.plans import explain_list  # noqa: E402
from tests.support.statement_counter import record_statements  # noqa: E402
from userapi.app import create_app  # noqa: E402
from userapi.core.db import db  # noqa: E402
from userapi.security import signing_keys  # noqa: E402
from userapi.users import field_reindex  # noqa: E402
from userapi.users.declaration import get_declaration  # noqa: E402
from userapi.users.field_filters import FieldFilter  # noqa: E402

DECLARATION = """
[profile.company]
type = "line"
find = "beginning"
[profile.vat_id]
type = "line"
find = "exact"
unique = true
[profile.size]
type = "choice"
options = ["small", "large"]
find = "exact"
"""

PROFILES = {
    "postgresql": """
        INSERT INTO user_profiles (user_id, extra)
        SELECT id, jsonb_build_object('company', 'Company ' || id % 50000, 'vat_id', 'DE ' || id,
                                      'size', CASE WHEN id % 2 = 0 THEN 'small' ELSE 'large' END) FROM users
    """,
    "sqlite": """
        INSERT INTO user_profiles (user_id, extra)
        SELECT id, json_object('company', 'Company ' || (id % 50000), 'vat_id', 'DE ' || id,
                               'size', CASE WHEN id % 2 = 0 THEN 'small' ELSE 'large' END) FROM users
    """,
}

#: Query strings, and the same as filters of `list_queries`.
LISTS: dict[str, dict[str, Any]] = {
    "profile.vat_id=DE+4711": {"profile": {"vat_id": FieldFilter("de 4711", False)}},
    "profile.vat_id=none": {"profile": {"vat_id": FieldFilter("none", False)}},
    "profile.company=Company+4711": {"profile": {"company": FieldFilter("company 4711", True)}},
    "profile.company=c": {"profile": {"company": FieldFilter("c", True)}},
    "profile.size=small": {"profile": {"size": FieldFilter("small", False)}},
    "profile.size=small&profile.vat_id=DE+4712": {
        "profile": {"size": FieldFilter("small", False), "vat_id": FieldFilter("de 4712", False)}
    },
    "search=company+4711": {"search": "company 4711"},
    "search=co": {"search": "co"},
    "search=user987654@": {"search": "user987654@"},
}
ORDERINGS = ("id", "-date_joined", "email")


def main(number: int, kind: str) -> None:
    """Print what each step takes."""
    with tempfile.TemporaryDirectory() as folder, _new_database(kind, folder) as url:
        signing_keys.KeyRing(Path(folder)).add()
        declaration = Path(folder) / "fields.toml"
        declaration.write_text(DECLARATION)
        app = create_app(app_config(url, folder, LOG_LEVEL="ERROR", PROFILE_FIELDS=str(declaration)))
        app.test_client_class = ApiClient
        with app.app_context():
            upgrade()
            started = time.perf_counter()
            if kind == "postgresql":
                db.session.execute(sa.text("SET statement_timeout = 0"))
            db.session.execute(sa.text(FILL[kind][0]), {"number": number})
            db.session.execute(sa.text(PROFILES[kind]))
            db.session.commit()
            db.session.execute(sa.text("ANALYZE"))
            db.session.commit()
        print(f"{number:,} accounts made in {time.perf_counter() - started:.0f} s", flush=True)
        user_id = make_user(app, email="staff@example.com", profile=None, is_staff=True)
        staff = ApiUser(app.test_client(), user_id, "", PASSWORD, sign_in(app, "staff@example.com"))
        _reindex(app, staff, number)
        with app.app_context():
            db.session.execute(sa.text("ANALYZE"))
            db.session.commit()
        for query, filters in LISTS.items():
            _measure(app, staff, query, filters)


def _reindex(app: Flask, staff: ApiUser, number: int) -> None:
    """Index all fields while users are edited, and again when nothing differs."""
    edits: list[float] = []
    stopped = threading.Event()

    def edit() -> None:
        client, n = app.test_client(), 0
        while not stopped.wait(0.2):
            n += 1
            started = time.perf_counter()
            body = {"profile": {"company": f"Edited {n}"}}
            path = f"/userapi/users/{n * 7919 % number + 1}/"
            answer = client.patch(path, json=body, headers=staff.headers)
            if answer.status_code != 200:
                raise SystemExit(answer.text)
            edits.append((time.perf_counter() - started) * 1000)

    editor = threading.Thread(target=edit)
    editor.start()
    before = _memory()
    for attempt in ("index", "compare"):
        for name in ("company", "vat_id", "size"):
            started = time.perf_counter()
            with app.app_context():
                done = field_reindex.reindex(get_declaration().by_name[name], lambda _seen: None)
            seconds = time.perf_counter() - started
            print(f"{attempt} {name}: {done.written:,} written in {seconds:.0f} s", flush=True)
    stopped.set()
    editor.join()
    print(f"{len(edits)} edits at the same time: median {statistics.median(edits):.0f} ms, slowest {max(edits):.0f} ms")
    print(f"{_memory() - before:.0f} MB more")


def _measure(app: Flask, staff: ApiUser, query: str, filters: dict[str, Any]) -> None:
    print(f"\n{query}")
    for ordering in ORDERINGS:
        path = f"/userapi/users/?{query}" + ("" if ordering == "id" else f"&ordering={ordering}")
        times = []
        for _repeat in range(REPEATS):
            started = time.perf_counter()
            answer = staff.get(path)
            times.append((time.perf_counter() - started) * 1000)
            if answer.status_code != 200:
                raise SystemExit(answer.text)
        with record_statements(app) as statements:
            found = len(staff.get(path).get_json()["results"])
        plan = explain_list(app, filters, ordering)
        by_value = "user_field_keys_1 (field=? AND key" in plan or "pk_user_field_keys" in plan
        by_user = "ix_user_field_keys_user_id" in plan or "user_field_keys_1 (field=? AND user" in plan
        uses = "by value" if by_value else "by user" if by_user else "WITHOUT AN INDEX"
        print(
            f"  {ordering:13} {found:3} users  median {statistics.median(times):7.1f} ms  slowest {max(times):7.1f} ms"
            f"  {len(statements)} statements  {uses}",
            flush=True,
        )
        if max(times) > 200 or uses == "WITHOUT AN INDEX":
            print("    " + plan.replace("\n", "\n    "))


if __name__ == "__main__":
    chosen = dict(enumerate(sys.argv))
    main(int(chosen.get(1, 1_000_000)), chosen.get(2, "postgresql"))
