"""Documents as clients of the replaced service read them: with the members that it had, besides ours."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from flask import Response
from flask_babel import gettext as _

from userapi.core import context
from userapi.http.errors import MEDIA_TYPE
from userapi.http.negotiation import prefers_page
from userapi.http.responses import Document, dump_json

#: Where errors that are of no field are, there and here.
NON_FIELD, SCHEMA = "non_field_errors", "_schema"

#: The operations that set a new password. The replaced service named its weakness in the second field.
NEW_PASSWORDS = ("auth.change_password", "auth.reset_password")

#: The operations whose errors say why someone cannot sign in.
SIGN_INS = ("tokens.obtain_tokens", "userapi_tokens.obtain_tokens", "auth.login")


def change(response: Response, change_document: Callable[[Document], Document]) -> Response:
    """Change the JSON of a successful response; its ETag stays that of the document without the old members."""
    if response.status_code == 200 and response.mimetype == "application/json":
        response.set_data(dump_json(change_document(orjson.loads(response.get_data()))))
    return response


def with_token(document: Document) -> Document:
    """The document with the access token under its old name, and with the id of the user too."""
    if "access_token" in document:
        document = {"token": document["access_token"], **document}
    return {**document, "user": with_pk(document["user"])} if "user" in document else document


def with_pk(user: Document) -> Document:
    """A user with the id under its old name."""
    return {"pk": user["id"], **user}


def add_old_errors(response: Response) -> Response:
    """Add to a problem document what the replaced service said of errors; pages have the new members only."""
    if response.mimetype == MEDIA_TYPE and not prefers_page():
        problem = orjson.loads(response.get_data())
        response.set_data(orjson.dumps({**_old_errors(problem), **problem}))
    return response


def _old_errors(problem: Mapping[str, Any]) -> Document:
    """The messages by field, and under `non_field_errors` those of none."""
    endpoint = context.current_request().endpoint
    errors = dict(problem.get("errors", {}))
    if SCHEMA in errors:
        errors[NON_FIELD] = errors.pop(SCHEMA)
    if endpoint in NEW_PASSWORDS:
        errors = _with_errors_of_passwords(errors)
    if not errors and (problem["status"] == 400 or endpoint in SIGN_INS):
        errors[NON_FIELD] = [problem["detail"]]
    return errors


def _with_errors_of_passwords(errors: Document) -> Document:
    """The errors of a new password, those of the first field under the second as well, and of the current one."""
    weak, other = errors.get("new_password1", []), errors.get("new_password2", [])
    if weak:
        errors["new_password2"] = [*weak, *(message for message in other if message not in weak)]
    if errors.get("old_password") == [_("Missing data for required field.")]:
        errors["old_password"] = [_("Send your current password as old_password.")]
    return errors
