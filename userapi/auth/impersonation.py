"""Impersonation: a member of staff acts as a user, in a session that shows what the user sees (decision 0100)."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import current_app, g
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import PermissionDenied
from userapi.mail import impersonation_emails
from userapi.users import account_kinds, accounts, permissions
from userapi.users.models import User

from . import impersonation_queries, sessions, set_up_sessions
from .assurance import Level, Way
from .caller import Caller, Credential, Impersonation
from .models import Session
from .problems import ImpersonationRunning, TokenRevoked

PERMISSION = "impersonate_user"

LIFETIME = timedelta(minutes=30)

MAX_REASON_LENGTH = 200

#: A second click on the button within this time gets what the first has begun, or the session that it has given back.
REPEAT_WINDOW = timedelta(seconds=10)

#: Why one ended that has an event although no one ended it.
EXPIRED = "expired"


def require_possible(user: User) -> None:
    """Check that a user may be impersonated: only active accounts of people without permissions.

    Args:
        user: locked, if an impersonation is about to begin.

    Raises:
        PermissionDenied: saying why not.
    """
    if user.is_staff or user.is_superuser:
        raise PermissionDenied(_("No one can sign in as a member of staff."))
    if account_kinds.is_service(user):
        raise PermissionDenied(_("No one can sign in as a service account."))
    if not user.is_active:
        raise PermissionDenied(_("This account is not active."))


def explain_why_not(user: User) -> str:
    """Why no one may act as a user; empty if that is possible."""
    try:
        require_possible(user)
    except PermissionDenied as denied:
        return str(denied)
    return ""


def begin(user_id: int, caller: Caller, reason: str) -> Session:
    """Begin to act as a user. What the same member of staff has begun before ends, unless that was the same click.

    Args:
        user_id: the user.
        caller: the member of staff.
        reason: why; the audit log keeps it, and the user reads it.

    Raises:
        PermissionDenied: the caller may not, or no one may act as this user.
        NotFound: there is no such user.
        ImpersonationRunning: the caller began another one at the same time; the caller must roll back.
    """
    user, now = accounts.lock(user_id, by=caller.actor, permission=PERMISSION), clock.now()
    require_possible(user)
    repeated = impersonation_queries.find_begun(caller.session_id, user.id, now - REPEAT_WINDOW)
    if repeated is not None:
        return repeated
    g.impersonator_id = caller.user.id
    for earlier in impersonation_queries.end_impersonations(caller.user.id, now):
        record_end(earlier.user_id, earlier)
    session = Session(
        id=uuid.uuid4(),
        user_id=user.id,
        session_version=user.session_version,
        refresh_jti=uuid.uuid4(),
        refreshed_at=now,
        created_at=now,
        last_used_at=now,
        expires_at=now + LIFETIME,
        address=None,  # the event has it; sessions are data of the user
        user_agent=None,
        way=Way.IMPERSONATION.value,
        amr="",
        proved_at=now,
        for_set_up=False,
        impersonator_id=caller.user.id,
        impersonator_session_id=caller.session_id,
    )
    db.session.add(session)
    try:
        db.session.flush()
    except IntegrityError as error:
        raise ImpersonationRunning from error
    changes = {"reason": (None, reason), "session": (None, str(session.id)), "ends_at": (None, session.expires_at)}
    audit_log.record("impersonation.started", "user", user.id, changes)
    if current_app.config["IMPERSONATION_NOTICE"]:
        may_write = current_app.config["IMPERSONATION_WRITES"]
        impersonation_emails.send_impersonated(
            user, reason=reason, when=now, ends_at=session.expires_at, may_write=may_write
        )
    return session


def find_caller(row: Any, impersonator_id: int) -> Caller | None:
    """The caller of a request in an impersonation; None if it has ended, or must end, which is committed.

    Args:
        row: the user and the session, as `queries.read_caller` reads them.
        impersonator_id: the member of staff whom the token names.
    """
    now = clock.now()
    found = impersonation_queries.read_impersonator(row.session_id, impersonator_id, now, sessions.idle_since(now))
    if found is None or not _is_allowed(row, found):
        _end_for(impersonator_id, row)
        return None
    name = f"{found.first_name} {found.last_name}".strip()
    return Caller(
        user=row,
        session_id=row.session_id,
        credential=Credential.COOKIE,
        signed_in_at=row.session_created_at,
        last_used_at=row.last_used_at,
        level=Level.ONE_FACTOR,
        proved_at=datetime.min.replace(tzinfo=UTC),  # the user has proved nothing
        is_for_set_up=False,
        is_too_weak_for_staff=False,
        actor=permissions.WithoutPermissions(row.id),
        impersonation=Impersonation(found.id, found.email, name, found.session_id, found.ends_at),
    )


def _end_for(impersonator_id: int, row: Any) -> None:
    g.actor_id = g.impersonator_id = impersonator_id
    sessions.end_session(row.session_id, row.id)
    db.session.commit()
    del g.actor_id, g.impersonator_id  # the rest of the request is anonymous


def _is_allowed(user: Any, impersonator: Any) -> bool:
    """Whether a member of staff may still act as a user; both are read by this request."""
    if not current_app.config["IMPERSONATION"] or user.is_staff or user.is_superuser:
        return False
    return permissions.has_permission(set_up_sessions.find_actor(impersonator, None), PERMISSION)


def end_of_caller(caller: Caller) -> None:
    """End the impersonation that a request is made in; from then on the member of staff is the actor.

    Raises:
        TokenRevoked: it has ended already.
    """
    if caller.impersonation is None:
        raise TokenRevoked
    g.actor_id = caller.impersonation.impersonator_id
    sessions.end_session(caller.session_id, caller.user.id)


def return_own_session(impersonation_id: uuid.UUID, own_session_id: uuid.UUID) -> bool:
    """End an impersonation whose browser goes back to the session of the member of staff; False if it did before.

    Args:
        impersonation_id: the impersonation.
        own_session_id: the session that it was begun from.
    """
    now = clock.now()
    found = impersonation_queries.mark_returned(impersonation_id, own_session_id, now, now - REPEAT_WINDOW)
    if found is None:
        return False
    g.actor_id = g.impersonator_id = found.impersonator_id
    sessions.end_session(impersonation_id, found.user_id)
    return True


def end_expired(before: datetime, limit: int) -> int:
    """Write the events of some impersonations that have reached their end; returns their number.

    Args:
        before: when they ended.
        limit: the maximum number.
    """
    ended = impersonation_queries.end_expired(before, limit)
    for each in ended:
        record_end(each.user_id, each)
    return len(ended)


def record_end(user_id: int, ended: Any) -> None:
    """Write the event of an impersonation that has ended, and let the user know now if it ended early.

    Args:
        user_id: the user.
        ended: its session, with `id` and the `expires_at` that it had.
    """
    changes: dict[str, tuple[Any, Any]] = {"session": (str(ended.id), None)}
    if ended.expires_at > clock.now():
        audit_log.record("impersonation.ended", "user", user_id, changes)
        impersonation_emails.send_now(user_id, ended.expires_at)
    else:  # no one ended it, and it is noticed now
        changes |= {"reason": (None, EXPIRED), "ended_at": (None, ended.expires_at)}
        audit_log.record("impersonation.ended", "user", user_id, changes, actor_id=None)
