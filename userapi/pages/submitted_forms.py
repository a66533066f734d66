"""Reads submitted forms with the schemas of the API, and shows them again with their values and errors."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from flask import Response, g, make_response, request
from marshmallow import Schema, ValidationError

from userapi.auth.api_keys import TooManyKeys
from userapi.auth.caller import find_caller
from userapi.auth.problems import InvalidCredentials
from userapi.core.db import db
from userapi.core.hooks import Denied
from userapi.core.problems import Problem, ValidationFailed
from userapi.html import profile_inputs, saved_forms
from userapi.html.forms import HIDDEN_FIELDS, Form
from userapi.http import bodies
from userapi.invitations.problems import InvitationEnded, InviterUnverified, TooManyInvitations
from userapi.mfa.passkey_problems import InvalidPasskey, PasskeyKnown, PasskeyRefused
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security.throttling import TooManyRequests
from userapi.users.problems import LastSuperuser

#: What the user can correct by typing something else or by waiting.
CORRECTABLE = (
    ValidationFailed,
    InvalidCredentials,
    InvalidCode,
    InvalidPasskey,
    PasskeyKnown,
    PasskeyRefused,
    SecondStepLocked,
    InvitationEnded,
    InviterUnverified,
    TooManyInvitations,
    TooManyKeys,
    TooManyRequests,
    Denied,
    LastSuperuser,
)


def current_form(user_id: int | None) -> Form:
    """The form of this page: just rejected, or saved when the session of the same user ended, or empty.

    Args:
        user_id: the signed-in user, if any.
    """
    if "form" not in g:
        saved = saved_forms.take_saved_form(user_id) if user_id is not None else None
        g.form = Form(profile_inputs.read_sent(saved) if saved else None)
    form: Form = g.form
    return form


def load_form(schema: Schema) -> dict[str, Any]:
    """The submitted values, validated by a schema.

    Raises:
        ValidationFailed: with messages by field.
    """
    values = bodies.read_body(request)
    if isinstance(profile := values.get("profile", {}), dict):
        read = profile_inputs.read_profile(profile, values.get(profile_inputs.CHECKBOXES, ""), _stored_profile())
        values |= {"profile": read} if read else {}
    for name in HIDDEN_FIELDS:
        values.pop(name, None)
    try:
        fields: dict[str, Any] = schema.load(values)
    except ValidationError as error:
        raise ValidationFailed(errors=error.messages_dict) from error
    return fields


def _stored_profile() -> dict[str, Any]:
    """The own fields of the caller's profile; empty without one, and for a visitor."""
    caller = find_caller()
    return (caller.user.profile_extra if caller else None) or {}


def show_on_error(show_page: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Respond to an error that the user can correct with the page that has the form, filled in."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def wrapper(**arguments: Any) -> Any:
            try:
                return view(**arguments)
            except CORRECTABLE as problem:
                db.session.rollback()
                return show_rejected_form(problem, partial(show_page, **arguments))

        wrapper.page_on_error = show_page  # type: ignore[attr-defined]
        return wrapper

    return decorate


def show_rejected_form(problem: Problem, show_page: Callable[[], Any]) -> Response:
    """The page that has the form, filled in with what was typed, with the errors; or where that page redirects to."""
    g.form = Form.rejected(problem, profile_inputs.read_sent(request.form))
    response = make_response(show_page())
    if response.status_code == 200:
        response.status_code = problem.status
        response.headers.update(problem.headers)
    return response
