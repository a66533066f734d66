"""Forms: read with the schemas of the API, and shown again with what was typed and what is wrong with it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any

from flask import Response, g, make_response, request
from flask_babel import gettext as _
from marshmallow import Schema, ValidationError

from userapi.auth import saved_forms
from userapi.auth.problems import InvalidCredentials
from userapi.core.db import db
from userapi.core.problems import Problem, ValidationFailed
from userapi.http import bodies
from userapi.security.throttling import TooManyRequests

from . import notices

#: Inputs that are ours, not the schema's.
OURS = ("csrf_token", "form_id", "next")

#: What the person at the form can mend, by typing something else or by waiting.
MENDABLE = (ValidationFailed, InvalidCredentials, TooManyRequests)


@dataclass(frozen=True)
class Form:
    """What was typed and what is wrong with it.

    Attributes:
        values: what was typed, by the names of the inputs, as `profile.city`; a template leaves passwords out.
        errors: messages by the same names.
        refusal: what is wrong with the whole; None when nothing was sent yet.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    refusal: str | None = None


def present(me: Any) -> Form:
    """The form that this answer shows: refused just now, or typed by the same user before the session ended.

    Args:
        me: who is signed in, or None.
    """
    if "form" not in g:
        kept = saved_forms.load_form(me.id) if me else None
        g.form = Form(values=kept or {})
        if kept:
            notices.show("form_given_back")
    form: Form = g.form
    return form


def read(schema: Schema) -> dict[str, Any]:
    """What was typed, as the schema makes it.

    Raises:
        ValidationFailed: with messages by field.
    """
    typed = bodies.body(request)
    for name in OURS:
        typed.pop(name, None)
    try:
        fields: dict[str, Any] = schema.load(typed)
    except ValidationError as error:
        raise ValidationFailed(errors=error.messages_dict) from error
    return fields


def shown_again_by(show: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Answer a refusal that the person can mend with the page that has the form, everything typed still in it."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def wrapper(**arguments: Any) -> Any:
            try:
                return view(**arguments)
            except MENDABLE as problem:
                db.session.rollback()
                return show_again(problem, partial(show, **arguments))

        wrapper.shown_by = show  # type: ignore[attr-defined]
        return wrapper

    return decorate


def show_again(problem: Problem, show: Callable[[], Any]) -> Response:
    """The page that has the form, with everything typed still in it, and what is wrong."""
    g.form = _refused(problem)
    return _with_status_of(problem, show())


def _refused(problem: Problem) -> Form:
    found = dict(_flat(problem.errors or {}))
    refusal = " ".join(found.pop("_schema", [])) or str(problem.detail)
    in_order = [*(name for name in request.form if name in found), *found]
    errors = {
        name: [_("This field is required.")] if request.form.get(name) == "" else found[name] for name in in_order
    }
    if isinstance(problem, ValidationFailed) and errors:
        refusal = _("Please correct the errors below.")
    return Form(values=request.form, errors=errors, refusal=refusal)


def _with_status_of(problem: Problem, page: Any) -> Response:
    response = make_response(page)
    response.status_code = problem.status
    response.headers.update(problem.headers)
    return response


def _flat(errors: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """`{"profile": {"zip": [...]}}` as `profile.zip`."""
    for name, messages in errors.items():
        if isinstance(messages, Mapping):
            yield from _flat(messages, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(messages)
