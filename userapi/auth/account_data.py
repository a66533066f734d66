"""The download of everything that is stored about an account, for its owner."""

from dataclasses import asdict
from typing import Any

from userapi.audit import activity, audit_log
from userapi.core import clock
from userapi.mfa import remembered_devices
from userapi.users import user_json

from . import sessions
from .caller import Caller
from .factor_json import describe_factors

#: The newest activities that a download contains.
MAX_ACTIVITIES = 1000


def export_account_data(caller: Caller) -> dict[str, Any]:
    """Everything that is stored about an account, as a JSON document; the download is recorded."""
    user_id = caller.user.id
    activities, _next = activity.list_activity(user_id, MAX_ACTIVITIES)
    audit_log.record("user.data_exported", "user", user_id)
    return {
        "exported_at": clock.now(),
        "user": user_json.from_row(caller.user),
        "sessions": list_sessions(caller),
        "factors": describe_factors(caller),
        "devices": [dict(row._mapping) for row in remembered_devices.list_devices(user_id)],
        "activity": [asdict(each) for each in activities],
    }


def list_sessions(caller: Caller) -> list[dict[str, Any]]:
    """The active sessions of the caller as JSON objects, most recently used first."""
    mine = sessions.list_user_sessions(caller.user.id)
    return [{**row._mapping, "current": row.id == caller.session_id} for row in mine]
