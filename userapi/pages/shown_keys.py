"""A new API key on its way to the page that shows it: encrypted in a cookie, which that page deletes.

The key itself is not stored, so the page can be shown only once (decision 0089).
"""

import uuid

from flask import Response, request, url_for

from userapi.auth.caller import get_caller
from userapi.core import private_cookies
from userapi.security import encryption

COOKIE, PURPOSE = "new_api_key", "new-api-key"

#: Seconds. The page that the cookie is for is the next one.
MAX_AGE = 60


def carry_key(response: Response, key_id: str, key: str) -> Response:
    """Let the next page show a new API key of the caller."""
    sealed = encryption.encrypt_json(PURPOSE, {"user": get_caller().user.id, "id": key_id, "key": key})
    return private_cookies.set_cookie(response, COOKIE, sealed, MAX_AGE, _path(key_id))


def find_key(key_id: uuid.UUID) -> str | None:
    """The new API key to show; None if it was shown before."""
    found = encryption.decrypt_json(PURPOSE, request.cookies.get(COOKIE, ""), MAX_AGE)
    if not isinstance(found, dict) or (found["user"], found["id"]) != (get_caller().user.id, str(key_id)):
        return None
    key: str = found["key"]
    return key


def delete_cookie(response: Response, key_id: uuid.UUID) -> Response:
    """Do not show the key again."""
    return private_cookies.delete_cookie(response, COOKIE, _path(key_id))


def _path(key_id: uuid.UUID | str) -> str:
    return url_for("pages.show_new_key", key_id=key_id)
