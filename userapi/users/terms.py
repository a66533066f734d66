"""The terms that new users accept, if the settings name any: which version, and when (decision 0095)."""

from typing import Any

from flask import current_app, has_app_context
from flask_babel import lazy_gettext

from userapi.core import clock
from userapi.core.problems import ValidationFailed
from userapi.http.fields import Flag

#: The field of a registration with which its user accepts the terms.
ACCEPTED = "terms_accepted"


#: The error of that field.
NOT_ACCEPTED = lazy_gettext("Accept the terms to create an account.")

#: What schemas of registrations have in addition.
FIELDS = {ACCEPTED: Flag(metadata={"description": "Must be `true`: the new user accepts the terms of this site."})}


def are_in_force() -> bool:
    """Whether new users have to accept terms."""
    return has_app_context() and bool(current_app.config["TERMS_VERSION"])


def accept(is_accepted: object) -> dict[str, Any]:
    """The columns of a new user who has accepted the terms.

    Raises:
        ValidationFailed: the user has not.
    """
    if is_accepted is not True:
        raise ValidationFailed(errors={ACCEPTED: [str(NOT_ACCEPTED)]})
    return {"terms_version": current_app.config["TERMS_VERSION"], "terms_accepted_at": clock.now()}
