"""Answers side by side, as an attacker compares them."""

from werkzeug.test import TestResponse


def comparable(response: TestResponse) -> tuple[int, bytes, dict[str, str]]:
    """An answer without what differs between any two."""
    headers = {name: value for name, value in response.headers if name not in ("Date", "X-Request-ID")}
    return response.status_code, response.data, headers
