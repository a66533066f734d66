"""What no one has switched on is not imported, has no path and no background job."""

import json
import subprocess
import sys
from pathlib import Path

import config

SECRET = "vK3x-9QmZ_t7Rw2LpY8sUe5HbN4cJ6aG"

START = """
import json, sys, threading
from userapi import settings
from userapi.app import create_app
from userapi.core import job_runner, loop
app = create_app(settings.load({"SECRET_KEY": sys.argv[1], **json.loads(sys.argv[2])}))
print(json.dumps({
    "modules": sorted(name for name in sys.modules if name.startswith("userapi.")),
    "paths": sorted(rule.rule for rule in app.url_map.iter_rules()),
    "jobs": [job.__module__ for job in app.extensions[job_runner.KINDS]],
    "loops": sorted(app.extensions[loop.LOOPS]),
    "threads": threading.active_count(),
}))
"""

#: The beginnings of the names of modules and paths of what is off by default.
OFF = (
    "userapi.legacy", "userapi.auth.legacy", "userapi.auth.impersonation", "userapi.admin.impersonation",
    "userapi.pages.impersonation", "userapi.html.impersonation", "userapi.mail.impersonation", "userapi.mail.retention",
    "userapi.privacy.unused_accounts", "userapi.privacy.retention_queries", "userapi.auth.activity_queries",
    "userapi.extending", "userapi.pages.own_invitations", "/account/invitations", "/impersonation",
    "/account/impersonat", "/admin/users/<row_id:user_id>/impersonat",
)  # fmt: skip


def start(folder: Path, **settings: str) -> dict[str, list[str]]:
    """What a process of the service has loaded when it starts."""
    ran = subprocess.run(
        [sys.executable, "-c", START, SECRET, json.dumps(settings)],
        cwd=config.ROOT, env={"USERAPI_INSTANCE": str(folder)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, list[str]] = json.loads(ran.stdout)
    return found


def test_W84_nothing_is_imported_routed_or_scheduled_for_what_is_off(tmp_path: Path) -> None:
    switched_on = {"INACTIVE_DAYS": "365", "LEGACY_CLIENTS": "true", "IMPERSONATION": "true", "INVITES_PER_USER": "5"}
    off, on = start(tmp_path), start(tmp_path, **switched_on)

    assert [name for name in (*off["modules"], *off["paths"]) if name.startswith(OFF)] == []
    assert off["jobs"].count("userapi.privacy.retention") == 0
    assert off["loops"] == on["loops"]
    assert off["threads"] == 1
    assert on["jobs"].count("userapi.privacy.retention") == 1
    assert len([name for name in (*on["modules"], *on["paths"]) if name.startswith(OFF)]) > 5
