"""What users may do who need a second step and have not given it (decision 0060).

A session for set-up allows to set up or to give a second step, and nothing else. Staff of whom only their role requires
a second step keep their own account, and lack their permissions. So do staff in a session that only a code by email
began, before they were staff (decision 0066).
"""

from typing import Any

from flask import current_app

from userapi.core.problems import SecondStepRequired
from userapi.mfa import requirement_queries, requirements
from userapi.users import site_urls
from userapi.users.permissions import Actor, WithoutPermissions

from .assurance import Level, Proof, level_of
from .claims import AccessClaims


def level_of_both(row: Any, claims: AccessClaims | None) -> Level:
    """What both a session and its token prove.

    Args:
        row: with `amr`.
        claims: of the token; None for an API key, whose row alone says what was proved when it was created.
    """
    return level_of(row.amr) if claims is None else min(level_of(row.amr), claims.level)


def is_for_set_up(row: Any, claims: AccessClaims | None) -> bool:
    """Whether a request may do no more than set up or give a second step.

    Args:
        row: the session and role of the user, as `queries.HOLDER` reads them.
        claims: of the token, if it has any. A token that was issued for set-up stays one.
    """
    if row.for_set_up or (claims is not None and claims.is_for_set_up):
        return True
    return level_of_both(row, claims) < Level.TWO_FACTORS and requirements.is_required_for_everything(row)


def are_codes_closed_to(account: Any) -> bool:
    """Whether an account is one of staff, and a code by email alone is not enough for them.

    Args:
        account: with is_staff and is_superuser.
    """
    return (account.is_staff or account.is_superuser) and not current_app.config["SIGN_IN_BY_MAIL_STAFF"]


def is_too_weak_for_staff(row: Any, claims: AccessClaims | None) -> bool:
    """Whether staff are signed in by nothing but a code by email, because they were no staff when the session began.

    Args:
        row: the session and role of the user, as `queries.HOLDER` reads them.
        claims: of the token, if it has any. One that was issued before a better proof does not gain it.
    """
    is_by_code = Proof.MAILED_CODE in row.amr.split() or (claims is not None and claims.names_proof(Proof.MAILED_CODE))
    return is_by_code and level_of_both(row, claims) < Level.TWO_FACTORS and are_codes_closed_to(row)


def find_actor(row: Any, claims: AccessClaims | None) -> Actor:
    """The user of a session as the actor of rules: without permissions where the session has not proved enough.

    Args:
        row: the same, with the `id` of the user.
        claims: of the token.
    """
    lacks_level = level_of_both(row, claims) < Level.TWO_FACTORS
    is_limited = is_for_set_up(row, claims) or is_too_weak_for_staff(row, claims)
    if is_limited or (lacks_level and requirements.is_required(row)):
        return WithoutPermissions(row.id)
    actor: Actor = row
    return actor


def has_permissions(session: Any, of: requirements.Account) -> bool:
    """Whether a session proves enough for what the groups and the role of its user permit.

    Args:
        session: with `amr` and `for_set_up`.
        of: the role of the user.
    """
    if session.for_set_up:
        return False
    if level_of(session.amr) is Level.TWO_FACTORS:
        return True
    is_by_code = Proof.MAILED_CODE in session.amr.split()
    return not requirements.is_required(of) and not (is_by_code and are_codes_closed_to(of))


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
