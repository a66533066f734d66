"""Pages for passkeys. A script asks the browser for the passkey and submits a form with the result."""

from typing import Any

from flask import Response, current_app

from userapi.auth import passkey_sign_in
from userapi.core.db import commit_on
from userapi.mfa.passkey_problems import InvalidPasskey

from . import schemas
from .layout import blueprint
from .page_auth import open_to_visitors
from .signed_in import respond_signed_in
from .submitted_forms import load_form, show_on_error


def _show_sign_in() -> Any:
    return current_app.view_functions["pages.show_sign_in"]()


@blueprint.post("/login/passkey/")
@open_to_visitors
@show_on_error(_show_sign_in)
def sign_in_by_passkey() -> Response:
    """Sign in with a passkey, and continue to the page that the visitor requested."""
    credential = load_form(schemas.passkey)["credential"]
    with commit_on(InvalidPasskey):
        session = passkey_sign_in.sign_in_by_passkey(credential)
    return respond_signed_in(session)
