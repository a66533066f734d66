"""What the operations on API keys share: reading the end of a new key, and the response that shows it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Response

from userapi.core import clock
from userapi.http.responses import json_response

from . import api_keys
from .api_keys import Created


def read_new(sent: Mapping[str, Any]) -> dict[str, Any]:
    """What `api_keys.create_key` takes, from what a client sent: a lifetime becomes an end."""
    new = dict(sent)
    seconds = new.pop("expires_in", None)
    if seconds is not None:
        new["expires_at"] = clock.now() + timedelta(seconds=seconds)
    return new


def respond_created(created: Created) -> Response:
    """The response that shows a new key."""
    return json_response({**api_keys.describe_key(created.row), "key": created.key}, 201)


def respond_keys(user_id: int) -> Response:
    """The response that lists the keys of a user."""
    return json_response({"results": [api_keys.describe_key(row) for row in api_keys.list_keys(user_id)]})
