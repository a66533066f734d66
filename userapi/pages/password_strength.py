"""Rates a password while it is being typed, with the rules that decide when the form is submitted."""

from flask import Response
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.http.responses import json_response
from userapi.security import throttling
from userapi.security.throttling import TooManyRequests
from userapi.users import password_policy

from . import schemas
from .layout import blueprint
from .page_auth import open_to_visitors
from .submitted_forms import load_form

#: By the score of an accepted password.
LABELS = {
    0: lazy_gettext("Weak password"),
    1: lazy_gettext("Weak password"),
    2: lazy_gettext("Fair password"),
    3: lazy_gettext("Good password"),
    4: lazy_gettext("Strong password"),
}


@blueprint.post("/password-strength/")
@open_to_visitors
def rate_password() -> Response:
    """Rate a password: a score from 0 to 4, and what to say about it."""
    try:
        throttling.count_attempt("PASSWORD_STRENGTH", throttling.get_client_subject())
    except TooManyRequests as error:
        detail = _("The strength cannot be shown right now. The password is checked when you submit the form.")
        raise TooManyRequests(detail, headers=error.headers) from error
    typed = load_form(schemas.password_strength)
    score, reasons = password_policy.rate(typed["password"], [typed["email"]])
    if reasons:
        return json_response({"score": min(score, 1), "text": " ".join(reasons)})
    return json_response({"score": score, "text": str(LABELS[score])})
