"""Pages for passkeys. A script asks the browser for the passkey and submits a form with the result."""

import uuid
from functools import partial
from typing import Any

from flask import Response, current_app, url_for

from userapi.auth import passkey_changes, passkey_sign_in
from userapi.auth.assurance import Proof
from userapi.auth.caller import get_caller
from userapi.core.db import commit_on
from userapi.mfa import passkeys
from userapi.mfa.passkey_problems import InvalidPasskey

from . import schemas
from .account import show_security
from .factor_responses import respond_to_new_factor
from .layout import blueprint
from .page_auth import fresh, open_to_set_up, open_to_visitors
from .signed_in import respond_signed_in
from .single_submission import FIRST_FACTOR_WINDOW, Done, submit_once
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


@blueprint.post("/account/security/passkeys/")
@open_to_set_up
@show_on_error(show_security)
@partial(submit_once, window=FIRST_FACTOR_WINDOW)
def add_passkey() -> Done:
    """Add a passkey. New recovery codes are shown next."""
    new = load_form(schemas.new_passkey)
    caller = get_caller()
    added = passkey_changes.add_passkey(caller, new["credential"], new["name"])
    return respond_to_new_factor(caller, added, Proof.PASSKEY, "passkey_added")


@blueprint.post("/account/security/passkeys/<uuid:passkey_id>/rename/")
@submit_once
def rename_passkey(passkey_id: uuid.UUID) -> Done:
    """Rename a passkey."""
    passkeys.rename(passkey_id, get_caller().user.id, load_form(schemas.factor_name)["name"])
    return Done(url_for("pages.show_security"), "saved")


@blueprint.post("/account/security/passkeys/<uuid:passkey_id>/remove/")
@fresh
@submit_once
def remove_passkey(passkey_id: uuid.UUID) -> Done:
    """Remove a passkey; other sessions end."""
    passkey_changes.remove_passkey(get_caller(), passkey_id, keep_sessions=False)
    return Done(url_for("pages.show_security"), "passkey_removed")
