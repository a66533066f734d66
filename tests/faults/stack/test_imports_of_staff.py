"""An import started by staff at one host is completed by Celery even if workers are killed."""

import http.cookiejar
import io
import json
import re
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from stack import HOSTS, Stack
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from tests.support.app_stack import kill_with_children, query_database
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack

#: Larger than other bodies may be, with enough batches to kill a worker between two.
USERS = 20_000
MOST_ELSEWHERE = 2**20


class StaffBrowser:
    """A browser on the staff site of one host."""

    def __init__(self, url: str) -> None:
        self.url = url
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(jar)

    def get(self, path: str) -> str:
        """Open a page."""
        return self._open(urllib.request.Request(self.url + path))

    def send(self, path: str, **fields: Any) -> str:
        """Send the form on a page; returns the page that it leads to."""
        found = re.search(r'name="csrf_token" value="([^"]*)"', self.get(path))
        boundary, body = encode_multipart({**fields, "csrf_token": found[1] if found else ""})
        kind = {"Content-Type": f'multipart/form-data; boundary="{boundary}"'}
        return self._open(urllib.request.Request(self.url + path, body, kind))

    def _open(self, request: urllib.request.Request) -> str:
        request.add_header("Accept", "text/html")
        with self.opener.open(request) as response:
            return str(response.read().decode())


def file_of_users() -> bytes:
    profile = {"title": "Ms", "dob": "1990-12-10", "address": "12, Pulteney Street", "country": "United Kingdom",
               "city": "Bath", "zip": "BA2 4"}  # fmt: skip
    made = [{"email": f"import-{n}@example.com", "first_name": "Ada", "profile": profile} for n in range(USERS)]
    return "".join(f"{json.dumps(each)}\n" for each in made).encode()


def job(stack: Stack) -> dict[str, Any]:
    return query_database(stack, "SELECT * FROM import_jobs ORDER BY id DESC LIMIT 1")[0]


@pytest.mark.parametrize("host", ["past nginx", "through nginx"])
def test_X10_celery_completes_an_import_without_losses_or_duplicates_when_workers_are_killed(
    stack: Stack, host: str, report: Callable[[str], None]
) -> None:
    query_database(
        stack, "WITH gone AS (DELETE FROM users WHERE email LIKE 'import-%' RETURNING id) SELECT count(*) FROM gone"
    )
    email, password = stack.superuser()
    browser = StaffBrowser(stack.url if host == "through nginx" else stack.host_url(HOSTS[0]))
    browser.send("/login/", email=email, password=password)
    content = file_of_users()
    assert len(content) > MOST_ELSEWHERE

    page = browser.send(
        "/admin/imports/new/", file=FileStorage(io.BytesIO(content), "users.jsonl"), on_conflict="skip",
        on_bad_profile="leave-out-field",
    )  # fmt: skip
    assert "users.jsonl was uploaded" in page
    wait_until(lambda: job(stack)["counts"].get("made", 0) >= USERS / 5)
    kill_with_children(stack["worker"])
    at_death = job(stack)["counts"]["made"]
    query_database(
        stack, "UPDATE import_jobs SET claimed_until = now() WHERE state = 'running' RETURNING id"
    )  # a minute passes
    stack["worker"].start()
    wait_until(lambda: job(stack)["state"] not in ("waiting", "running"), timeout=120)

    done = job(stack)
    (there,) = query_database(
        stack,
        "SELECT count(*) AS users, count(distinct email) AS addresses, count(user_id) AS profiles"
        " FROM users LEFT JOIN user_profiles ON user_id = id WHERE email LIKE 'import-%'",
    )
    events = query_database(
        stack, "SELECT changes FROM audit_events WHERE action = 'users.imported' ORDER BY id DESC LIMIT 1"
    )
    report(f"import of {USERS:,} users, worker killed after {at_death:,}: {there['users']:,} there, {done['counts']}")
    assert at_death < USERS
    assert (done["state"], done["counts"]["made"], done["counts"]["there_already"]) == ("done", USERS, 0)
    assert there == {"users": USERS, "addresses": USERS, "profiles": USERS}
    assert events[0]["changes"]["made"] == [None, USERS]
    assert query_database(stack, "SELECT FROM import_files") == []
    assert f"{USERS:,} of {USERS:,}" in browser.get(f"/admin/imports/{done['id']}/")
