"""What happens to accounts before and after the moment of a drill, and what must be true after the restore."""

import http.client
import json
from collections.abc import Iterator
from typing import Any, LiteralString, NamedTuple
from urllib.parse import urlsplit

import psycopg
from processes import ServiceFailed

PASSWORD = "velvet tram outside 7"
PROFILE = {
    "title": "Ms", "dob": "1990-12-10", "address": "31 Spring Street", "country": "United States", "city": "Boston",
    "zip": "02110",
}  # fmt: skip


#: Counts of rows by table.
COUNTS: dict[str, LiteralString] = {
    "users": "SELECT count(*) FROM users",
    "login_sessions": "SELECT count(*) FROM login_sessions",
    "api_keys": "SELECT count(*) FROM api_keys",
    "messages": "SELECT count(*) FROM messages",
    "audit_events": "SELECT count(*) FROM audit_events",
}


class Finding(NamedTuple):
    """What a client found after the restore."""

    text: str
    expected: Any
    found: Any

    @property
    def is_right(self) -> bool:
        """Whether it is as it should be."""
        return bool(self.expected == self.found)


class Client:
    """Calls the service over HTTP."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Return the status and the body of a response."""
        connection = http.client.HTTPConnection(self._host, timeout=30)
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        return response.status, json.loads(text) if "json" in response.headers.get("Content-Type", "") else text

    def do(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """Return the body of a response, which must be a success."""
        status, found = self.call(method, path, body, token)
        if status >= 300:
            raise ServiceFailed(f"{method} {path}: {status} {found!r}")
        return found

    def register(self, email: str) -> dict[str, Any]:
        """Create an account."""
        created: dict[str, Any] = self.do(
            "POST", "/userapi/users/", {"email": email, "password": PASSWORD, "profile": PROFILE}
        )
        return created

    def sign_in(self, email: str, password: str = PASSWORD) -> dict[str, str]:
        """Return the tokens of a new session."""
        tokens: dict[str, str] = self.do("POST", "/api-token-auth/", {"email": email, "password": password})
        return tokens

    def reads_own_user(self, token: str) -> int:
        """Return the status of reading the own user."""
        return self.call("GET", "/userapi/auth/user/", token=token)[0]

    def refresh(self, token: str) -> int:
        """Return the status of a refresh."""
        return self.call("POST", "/api-token-refresh/", {"refresh_token": token})[0]


class Accounts:
    """The accounts of a drill.

    Args:
        url: of the service.
        database_url: for a superuser of PostgreSQL.
        superuser: email and password of a superuser of the service.
        number: of accounts that are created before the base backup, before the moment and after it.
    """

    def __init__(self, url: str, database_url: str, superuser: tuple[str, str], number: int) -> None:
        self.client = Client(url)
        self.database_url = database_url
        self.superuser = superuser
        self.number = number
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.restored: dict[str, int] = {}

    def query(self, statement: LiteralString) -> Any:
        """Return the first value of a query."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            row = connection.execute(statement).fetchone()
        return row[0] if row else None

    def count_rows(self) -> dict[str, int]:
        """Return the number of rows of some tables."""
        return {table: int(self.query(statement)) for table, statement in COUNTS.items()}

    def register_some(self, kind: str) -> list[str]:
        """Create accounts; return their email addresses."""
        emails = [f"{kind}-{number}@example.com" for number in range(self.number)]
        for email in emails:
            self.client.register(email)
        return emails

    def use_before(self) -> None:
        """Use the service after the base backup and before the moment."""
        client = self.client
        emails = self.register_some("kept")
        names = ("deleted", "closed", "signed_out", "refreshed", "other")
        created = {name: client.register(f"{name}@example.com") for name in names}
        tokens = {name: client.sign_in(f"{name}@example.com") for name in names}
        new_key = {"scopes": ["profile"], "expires_in": 86400}
        keys = {
            name: client.do("POST", "/userapi/auth/keys/", new_key | {"name": name}, tokens["other"]["access_token"])
            for name in ("revoked", "unrevoked")
        }
        self.before = {"emails": emails, "created": created, "tokens": tokens, "keys": keys}
        self.before["rows"] = self.count_rows()

    def use_after(self) -> None:
        """Use it after the moment: all of this is lost, or must happen again."""
        client, before = self.client, self.before
        tokens = before["tokens"]
        staff = client.sign_in(*self.superuser)["access_token"]
        client.do("DELETE", f"/userapi/users/{before['created']['deleted']['id']}/", token=staff)
        client.do("POST", "/userapi/auth/user/close/", {"password": PASSWORD}, tokens["closed"]["access_token"])
        client.do("POST", "/userapi/auth/logout/", {}, tokens["signed_out"]["access_token"])
        renewed = client.do("POST", "/api-token-refresh/", {"refresh_token": tokens["refreshed"]["refresh_token"]})
        key_id = before["keys"]["revoked"]["id"]
        client.do("DELETE", f"/userapi/auth/keys/{key_id}/", token=tokens["other"]["access_token"])
        emails = self.register_some("lost")
        late = client.sign_in(emails[0])
        events = client.do("GET", "/userapi/events/?after=latest", token=staff)
        self.after = {
            "renewed": renewed, "late": late, "position": events["after"], "rows": self.count_rows(),
            "highest_id": self.query("SELECT max(id) FROM users"),
        }  # fmt: skip

    def check(self) -> Iterator[Finding]:
        """Compare what clients can do after the restore with what they should be able to do."""
        client, before, after, tokens = self.client, self.before, self.after, self.before["tokens"]
        for table, number in before["rows"].items():
            lost = after["rows"][table] - number
            yield Finding(f"rows of {table}; {lost} were created later", number, self.restored[table])
        lost_accounts = self.query("SELECT count(*) FROM users WHERE email LIKE 'lost-%'")
        yield Finding("accounts from after the moment", 0, lost_accounts)
        yield Finding("sign-in with the password of that time", True, bool(client.sign_in(before["emails"][0])))
        for name in ("signed_out", "refreshed", "other"):
            reads = client.reads_own_user(tokens[name]["access_token"])
            yield Finding(f"access token of the session {name!r}", 401, reads)
            yield Finding(f"refresh token of the session {name!r}", 401, client.refresh(tokens[name]["refresh_token"]))
        yield Finding("refresh token from after the moment", 401, client.refresh(after["renewed"]["refresh_token"]))
        late = client.reads_own_user(after["late"]["access_token"])
        yield Finding("access token of an account from after the moment", 401, late)
        for name, key in before["keys"].items():
            yield Finding(f"API key {name!r}", 401, client.reads_own_user(key["key"]))
        deleted = "SELECT count(*) FROM users WHERE email = 'deleted@example.com'"
        yield Finding("account that was deleted", 0, self.query(deleted))
        closed = "SELECT NOT is_active AND closes_at IS NOT NULL FROM users WHERE email = 'closed@example.com'"
        yield Finding("account that was closed stays closed", True, self.query(closed))
        new = client.register("new@example.com")
        yield Finding("a new account gets an id that no account had", True, new["id"] > after["highest_id"])
        staff = client.sign_in(*self.superuser)["access_token"]
        status, _body = client.call("GET", f"/userapi/events/?after={after['position']}", token=staff)
        yield Finding("position in the event feed from after the moment", 410, status)
        status, _body = client.call("GET", "/userapi/events/?after=latest", token=staff)
        yield Finding("newest position in the event feed", 200, status)
