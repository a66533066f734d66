"""Responses reduced to what an attacker would compare."""

from werkzeug.test import TestResponse


def comparable(response: TestResponse) -> tuple[int, bytes, dict[str, str]]:
    """A response without the headers that always differ."""
    headers = {name: value for name, value in response.headers if name not in ("Date", "X-Request-ID")}
    return response.status_code, response.data, headers
