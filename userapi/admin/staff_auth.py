"""Who may use the staff site, and what for."""

from datetime import timedelta

from flask import current_app, g
from flask_babel import gettext as _

from userapi.auth import authentication, profile_gate, proof, sessions, set_up_sessions
from userapi.auth.caller import get_caller
from userapi.auth.problems import TokenExpired
from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import PermissionDenied
from userapi.users import permissions


def check_access() -> None:
    """Check the session cookie and, for writes, the CSRF token; only staff may continue.

    Raises:
        NotSignedIn, InvalidToken, TokenRevoked, TokenExpired: there is no active session.
        CsrfFailed: a write has no valid CSRF token.
        PermissionDenied: not a member of staff.
        ProfileIncomplete: a member of staff whose own profile lacks mandatory fields.
        SecondStepRequired: a member of staff who needs a second step and has not given it.
        ProofNeeded: the session began on a remembered device without the second step, which is on, or with nothing but
            a code by email.
    """
    g.requested_user_id = authentication.NO_USER
    caller = authentication.require_caller("cookies")
    if caller.impersonation is not None:
        raise PermissionDenied(_("The staff site is closed while you are signed in as a user. Stop first."))
    if not caller.user.is_staff:
        raise PermissionDenied(_("You need a staff account to open this page."))
    if caller.is_too_weak_for_staff and not caller.is_for_set_up:
        proof.require_level(caller)
    set_up_sessions.require_full(not caller.actor.is_staff)
    profile_gate.require_complete(caller)
    if caller.user.second_step_is_on:
        proof.require_level(caller)
    now = clock.now()
    idle = timedelta(seconds=current_app.config["STAFF_IDLE_LIFETIME"])
    longest = timedelta(seconds=current_app.config["STAFF_SESSION_LIFETIME"])
    if now - caller.last_used_at > idle or now - caller.signed_in_at > longest:
        sessions.end_session(caller.session_id, caller.user.id)
        db.session.commit()
        raise TokenExpired


def may(action: str, kind: str) -> bool:
    """Whether the caller may do this to records of a type. Staff who may change them may also view them."""
    return permissions.has_permission(get_caller().user, f"{action}_{kind}")


def require(action: str, kind: str) -> None:
    """Check that the caller may do this to records of a type.

    Raises:
        PermissionDenied: naming the permission that is missing.
    """
    permissions.require_permission(get_caller().user, f"{action}_{kind}")


def require_fresh_proof() -> None:
    """Check that the caller has proved the identity recently (ASVS 7.5.3).

    Raises:
        ProofNeeded: the last proof is too old or too weak.
    """
    proof.require_fresh(get_caller())


def is_superuser() -> bool:
    """Whether the caller is a superuser."""
    return bool(get_caller().user.is_superuser)


def require_superuser() -> None:
    """Check that the caller is a superuser.

    Raises:
        PermissionDenied: the caller is none.
    """
    if not is_superuser():
        raise PermissionDenied(_("Only superusers can do this."))
