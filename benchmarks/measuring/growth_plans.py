"""The nodes of the plans that PostgreSQL chooses, which auto_explain sends to the client."""

import json
from collections.abc import Collection, Iterator
from typing import Any

import psycopg

#: The server processes of all connections of this process.
backends: list[int] = []

#: The indexes with which one account or session is found, as when a token is checked.
OF_ONE_ACCOUNT = ("pk_login_sessions", "ix_login_sessions_user_id", "pk_users", "pk_user_profiles")

#: What connections have reported.
plans: list[Any] = []

#: What `explained` adds to the URL.
OPTIONS = (
    "-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_analyze=on "
    "-c auto_explain.log_format=json "
    "-c auto_explain.log_level=notice -c auto_explain.log_nested_statements=off -c client_min_messages=notice"
)

#: The tables that grow with the number of users; all others are empty or small here.
GROWING = ("users", "user_profiles", "login_sessions", "audit_events")

#: A scan that returns fewer rows ended early.
MANY = 15_000


def explained(url: str) -> str:
    """The URL of a database whose connections report each plan."""
    return f"{url}&options={OPTIONS.replace(' ', '%20').replace('=', '%3D')}"


def record() -> None:
    """From now on, collect the plans that connections report, and their server processes."""
    original = psycopg.Connection.connect.__func__  # type: ignore[attr-defined]

    def connect(cls: Any, *arguments: Any, **options: Any) -> Any:
        connection = original(cls, *arguments, **options)
        connection.add_notice_handler(_note)
        backends.append(connection.info.backend_pid)
        return connection

    psycopg.Connection.connect = classmethod(connect)  # type: ignore[assignment,method-assign]
    psycopg.connect = psycopg.Connection.connect


def _note(diagnostic: Any) -> None:
    text = diagnostic.message_primary or ""
    if "plan:" in text:
        plans.append(json.loads(text.partition("plan:")[2])["Plan"])


def summary(without: Collection[str]) -> list[str]:
    """How the collected plans read the tables that grow, each scan once; one of a whole table is bold.

    Args:
        without: the names of indexes that are left out.
    """
    found: dict[str, None] = {}
    for plan in plans:
        for node in _nodes(plan):
            kind, name = node["Node Type"], node.get("Index Name") or node.get("Relation Name") or ""
            if name in without:
                continue
            if kind.endswith("Scan") and (name in GROWING or any(f"_{table}" in name for table in GROWING)):
                is_whole = kind == "Seq Scan" and node.get("Actual Rows", 0) >= MANY
                found[f"**{kind} ({name})**" if is_whole else f"{kind} ({name})"] = None
    return list(found)


def _nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
