"""Reads submitted forms with the schemas of the API, and shows them again with their values and errors."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from flask import Response, g, make_response, request
from marshmallow import Schema, ValidationError

from userapi.auth.problems import InvalidCredentials
from userapi.core.db import db
from userapi.core.problems import Problem, ValidationFailed
from userapi.html import saved_forms
from userapi.html.forms import HIDDEN_FIELDS, Form
from userapi.http import bodies
from userapi.mfa.passkey_problems import InvalidPasskey, PasskeyKnown, PasskeyRefused
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security.throttling import TooManyRequests

#: What the user can correct by typing something else or by waiting.
CORRECTABLE = (
    ValidationFailed,
    InvalidCredentials,
    InvalidCode,
    InvalidPasskey,
    PasskeyKnown,
    PasskeyRefused,
    SecondStepLocked,
    TooManyRequests,
)


def current_form(user_id: int | None) -> Form:
    """The form of this page: just rejected, or saved when the session of the same user ended, or empty.

    Args:
        user_id: the signed-in user, if any.
    """
    if "form" not in g:
        saved = saved_forms.take_saved_form(user_id) if user_id is not None else None
        g.form = Form(saved.to_dict() if saved else None)
    form: Form = g.form
    return form


def load_form(schema: Schema) -> dict[str, Any]:
    """The submitted values, validated by a schema.

    Raises:
        ValidationFailed: with messages by field.
    """
    values = bodies.read_body(request)
    for name in HIDDEN_FIELDS:
        values.pop(name, None)
    try:
        fields: dict[str, Any] = schema.load(values)
    except ValidationError as error:
        raise ValidationFailed(errors=error.messages_dict) from error
    return fields


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
    g.form = Form.rejected(problem, request.form.to_dict())
    response = make_response(show_page())
    if response.status_code == 200:
        response.status_code = problem.status
        response.headers.update(problem.headers)
    return response
