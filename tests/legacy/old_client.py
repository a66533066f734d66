"""A client of the Django service, unchanged: it walks through the API and notes what it gets."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple

PASSWORD, NEW_PASSWORD = "velvet tram outside 7", "copper kettle upstairs 4"
OLD, BOSS = "old@example.com", "boss@example.com"

#: Sends a method, a path, a body as JSON and headers; returns the status and the body.
Send = Callable[[str, str, Any, dict[str, str]], tuple[int, Any]]


class Answer(NamedTuple):
    """What a step got: the status, and the shape of the body (see `shape_of`)."""

    status: int
    shape: Any


def http_sender(base: str) -> Send:
    """Send over HTTP to a site."""

    def send(method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        sent = urllib.request.Request(base + path, data, {"Content-Type": "application/json", **headers}, method=method)
        try:
            with urllib.request.urlopen(sent, timeout=30) as response:
                return response.status, _parse(response.read())
        except urllib.error.HTTPError as error:
            return error.code, _parse(error.read())

    return send


def _parse(content: bytes) -> Any:
    try:
        return json.loads(content or b"null")
    except ValueError:
        return "not JSON"


def shape_of(value: Any) -> Any:
    """The names and types in a JSON value; of an array those of its first element."""
    if isinstance(value, dict):
        return {name: shape_of(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape_of(each) for each in value[:1]]
    return type(value).__name__


class OldClient:
    """Walks through the API.

    Attributes:
        answers: by the name of the step.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.answers: dict[str, Answer] = {}

    def step(self, name: str, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        headers = {} if token is None else {"Authorization": f"JWT {token}"}
        status, document = self._send(method, path, body, headers)
        self.answers[name] = Answer(status, shape_of(document))
        return document

    def walk(self) -> dict[str, Answer]:
        """Walk through sign-in, refresh, own user, list, change and logout; at the start there are three users."""
        step = self.step
        token = self._sign_in()
        me = step("own user", "GET", "/userapi/auth/user/", token=token)
        step("own user without a token", "GET", "/userapi/auth/user/")
        step("own user with an invalid token", "GET", "/userapi/auth/user/", token="nonsense")
        step("own names with PUT", "PUT", "/userapi/auth/user/", {"username": "w", "first_name": "Wren"}, token)
        step("own names with PATCH", "PATCH", "/userapi/auth/user/", {"last_name": "Okafor"}, token)
        step("own user sent back", "PUT", "/userapi/auth/user/", {**me, "username": "wren"}, token)
        self._users(me["pk"], token)
        self._passwords(token)
        return self.answers

    def _sign_in(self) -> str:
        step, right = self.step, {"email": OLD, "password": PASSWORD}
        step("wrong password", "POST", "/api-token-auth/", {**right, "password": "wrong"})
        step("no password", "POST", "/api-token-auth/", {"email": OLD})
        step("wrong password at login", "POST", "/userapi/auth/login/", {**right, "password": "wrong"})
        step("login", "POST", "/userapi/auth/login/", {"username": "", **right})
        token: str = step("sign-in", "POST", "/api-token-auth/", right)["token"]
        step("verify", "POST", "/api-token-verify/", {"token": token})
        step("verify nonsense", "POST", "/api-token-verify/", {"token": "nonsense"})
        step("verify nothing", "POST", "/api-token-verify/", {})
        step("refresh nonsense", "POST", "/api-token-refresh/", {"token": "nonsense"})
        step("another method", "GET", "/api-token-auth/")
        renewed: str = step("refresh", "POST", "/api-token-refresh/", {"token": token})["token"]
        return renewed

    def _users(self, own: int, token: str) -> None:
        step = self.step
        boss: str = step("sign-in of staff", "POST", "/api-token-auth/", {"email": BOSS, "password": PASSWORD})["token"]
        profile = {
            "title": "Ms", "dob": "1990-12-10", "address": "31 Spring Street", "country": "United States",
            "city": "Boston", "zip": "02110",
        }  # fmt: skip
        new = {
            "email": "new@example.com",
            "password": PASSWORD,
            "first_name": "Ada",
            "last_name": "",
            "profile": profile,
        }
        step("registration", "POST", "/userapi/users/", new)
        step("registration with a used email", "POST", "/userapi/users/", new)
        step(
            "registration with a weak password",
            "POST",
            "/userapi/users/",
            {**new, "email": "w@example.com", "password": "1"},
        )
        step(
            "registration without a profile",
            "POST",
            "/userapi/users/",
            {"email": "p@example.com", "password": PASSWORD},
        )
        step("list of staff", "GET", "/userapi/users/", token=boss)
        step("list of a user", "GET", "/userapi/users/", token=token)
        step("list of no one", "GET", "/userapi/users/")
        step("list as XML", "GET", "/userapi/users/?format=xml", token=boss)
        step("list with an ending", "GET", "/userapi/users.json", token=boss)
        step("own user by id", "GET", f"/userapi/users/{own}/", token=token)
        step("another user", "GET", f"/userapi/users/{own + 1}/", token=token)
        step("a user who does not exist", "GET", "/userapi/users/999/", token=token)
        edit = {"email": OLD, "profile": {**profile, "city": "York"}}
        step("own profile with PATCH", "PATCH", f"/userapi/users/{own}/", {"profile": {"city": "Bath"}}, token)
        step("own names with PATCH by id", "PATCH", f"/userapi/users/{own}/", {"first_name": "Wren"}, token)
        step("own profile with PUT", "PUT", f"/userapi/users/{own}/", edit, token)
        step(
            "own profile and password with PUT", "PUT", f"/userapi/users/{own}/", {**edit, "password": PASSWORD}, token
        )
        step("deletion by a user", "DELETE", f"/userapi/users/{own + 1}/", token=token)
        step("deletion by staff", "DELETE", f"/userapi/users/{own + 1}/", token=boss)

    def _passwords(self, token: str) -> None:
        step, change = self.step, "/userapi/auth/password/change/"
        new = {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
        weak = {"new_password1": "12345678", "new_password2": "12345678"}
        step("weak password", "POST", change, {"old_password": PASSWORD, **weak}, token)
        step("two passwords", "POST", change, {"old_password": PASSWORD, **new, "new_password2": "other"}, token)
        step("change of password", "POST", change, {"old_password": PASSWORD, **new}, token)
        step("change without the old one", "POST", change, new, token)
        step("sign-in with it", "POST", "/api-token-auth/", {"email": OLD, "password": NEW_PASSWORD})
        step("request to reset", "POST", "/userapi/auth/password/reset/", {"email": OLD})
        step("logout", "POST", "/userapi/auth/logout/", token=token)
        step("own user after logout", "GET", "/userapi/auth/user/", token=token)
        step("logout of no one", "POST", "/userapi/auth/logout/")
