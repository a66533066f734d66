"""What users may do who need a second step and have not given it (decision 0060).

A session for set-up allows to set up or to give a second step, and nothing else. Staff of whom only their role requires
a second step keep their own account, and lack their permissions.
"""

from typing import Any

from flask import current_app

from userapi.core.problems import SecondStepRequired
from userapi.mfa import requirement_queries, requirements
from userapi.users import site_urls
from userapi.users.permissions import Actor, WithoutPermissions

from .assurance import Level, level_of
from .claims import AccessClaims


def level_of_both(row: Any, claims: AccessClaims) -> Level:
    """What both a session and its token prove.

    Args:
        row: with `amr`.
        claims: of the token.
    """
    return min(level_of(row.amr), claims.level)


def is_for_set_up(row: Any, claims: AccessClaims) -> bool:
    """Whether a request may do no more than set up or give a second step.

    Args:
        row: the session and role of the user, as `queries.HOLDER` reads them.
        claims: of the token. A token that was issued for set-up stays one.
    """
    if row.for_set_up or claims.is_for_set_up:
        return True
    return level_of_both(row, claims) < Level.TWO_FACTORS and requirements.is_required_for_everything(row)


def find_actor(row: Any, claims: AccessClaims) -> Actor:
    """The user of a session as the actor of rules: without permissions if a second step is required and was not given.

    Args:
        row: the same, with the `id` of the user.
        claims: of the token.
    """
    lacks_level = level_of_both(row, claims) < Level.TWO_FACTORS
    if is_for_set_up(row, claims) or (lacks_level and requirements.is_required(row)):
        return WithoutPermissions(row.id)
    actor: Actor = row
    return actor


def is_begun_for_set_up(user_id: int, amr: str) -> Any:
    """Whether a session that begins now is for set-up: an expression, which the INSERT of the session evaluates.

    Args:
        user_id: whose session it is.
        amr: the proofs that were given.
    """
    if level_of(amr) is Level.TWO_FACTORS or not requirements.is_in_force():
        return False
    return requirement_queries.select_is_demanded(user_id, current_app.config["SECOND_STEP_REQUIRED_FOR"])


def require_full(is_limited: bool) -> None:
    """Raise an error if a request may not do something without a second step.

    Raises:
        SecondStepRequired: naming the page to set it up.
    """
    if is_limited:
        raise SecondStepRequired(site_urls.security_url())
