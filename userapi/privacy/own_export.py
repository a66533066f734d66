"""The export of their own data, for the owner of an account: everything about them, and nothing of others.

It contains what only staff see of the account as well, since the right of access (GDPR, Article 15) has no exception
for that; a field that is declared with `export = false` is left out (decision 0098).
"""

from collections.abc import Iterator
from typing import Any

from flask import Response, stream_with_context

from userapi.audit import activity, audit_log
from userapi.audit import queries as audit_queries
from userapi.audit.activity import Source
from userapi.auth.caller import Caller
from userapi.core import clock, hooks
from userapi.core.db import db
from userapi.http import responses
from userapi.users import user_json
from userapi.users.declaration import get_declaration, read_values
from userapi.users.fields import PROFILE_FIELDS

from . import export_queries as queries

#: Events that are read together.
BATCH = 1000

#: The member whose events are read while the response is sent.
EVENTS = "events"


def respond_with_export(caller: Caller) -> Response:
    """The data of the caller as a JSON file; the export is recorded, and the transaction committed.

    The events are read and sent some at a time, because members of staff may have caused any number of them.
    """
    document = _describe(caller)
    audit_log.record("user.exported_own", "user", caller.user.id)
    db.session.commit()
    name = f"account-data-{clock.now():%Y-%m-%d}.json"
    return Response(
        stream_with_context(_write(document, caller.user.id)),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _describe(caller: Caller) -> dict[str, Any]:
    """Everything but the events."""
    user_id = caller.user.id
    extensions = {name: hooks.call_inside(read, user_id) for name, read in hooks.get_hooks().personal_data.items()}
    return {
        "exported_at": clock.now(),
        "user": _describe_user(caller.user),
        "groups": queries.list_groups(user_id),
        "permissions": queries.list_permissions(user_id),
        **{part.member: [_to_json(row) for row in queries.read_part(part, user_id)] for part in queries.list_parts()},
        **({"extensions": extensions} if extensions else {}),
    }


def _describe_user(row: Any) -> dict[str, Any]:
    """The document of a user, with everything that only staff see unless its declaration forbids it."""
    profile = None
    if row.profile_user_id is not None:
        profile = read_values(row, (field for field in get_declaration().fields if field.is_in_own_export))
        undeclared = (field for field in PROFILE_FIELDS if field.name not in profile)
        profile |= {name: value for name, value in read_values(row, undeclared).items() if value is not None}
    return {**user_json.from_own_row(row), **queries.read_further_columns(row.id), "profile": profile}


def _to_json(row: Any) -> dict[str, Any]:
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in row._mapping.items()}


def _write(document: dict[str, Any], user_id: int) -> Iterator[bytes]:
    """The text of the document, with the events as its last member."""
    yield responses.dump_indented_json(document).rstrip().removesuffix(b"\n}") + f',\n  "{EVENTS}": ['.encode()
    last_id, separator = 0, b"\n    "
    while events := audit_queries.list_of_user(user_id, last_id, BATCH):
        for event in filter(_is_shown, events):
            yield separator + responses.dump_json(_describe_event(event, user_id))
            separator = b",\n    "
        last_id = events[-1].id
    yield b"\n  ]\n}\n"


def _is_shown(event: Any) -> bool:
    """Whether the owner may know of an event: a legal hold, and why it was placed, can be a secret."""
    return event.action not in ("user.held", "user.released")


def _describe_event(event: Any, user_id: int) -> dict[str, Any]:
    """An event that a user caused or that is about them, without what it says of others."""
    is_target = event.target_kind == "user" and event.target_id == str(user_id)
    source = activity.find_source(event, user_id)
    is_of_others = source in (Source.STAFF, Source.SYSTEM)
    changes = {name: values for name, values in (event.changes or {}).items() if _is_of_owner(name)}
    return {
        "id": event.id,
        "action": event.action,
        "occurred_at": event.occurred_at,
        "source": source,
        "target": "own account" if is_target else event.target_kind,
        "target_id": event.target_id if event.target_kind != "user" else None,
        "address": None if is_of_others else event.address,
        "user_agent": None if is_of_others else event.user_agent,
        "request_id": None if is_of_others else event.request_id,
        "key_id": event.key_id if source is Source.OWNER else None,
        "fields": sorted(changes),
        "changes": changes if is_target else {},
    }


def _is_of_owner(name: str) -> bool:
    """Whether owners may know of a changed field, such as `profile.city`.

    They may not if it is none that is declared: it may be one with `export = false` that was removed.
    """
    prefix, _, field = name.partition(".")
    if prefix != "profile" or field == "":
        return True
    declared = get_declaration().by_name.get(field)
    return declared is not None and declared.is_in_own_export
