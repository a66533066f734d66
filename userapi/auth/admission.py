"""The last step of every way in: no session, token or cookie exists before `admit` returns.

Passwords, registrations and invitations only identify an account. Nothing but `admit` begins a session (decision 0048).
"""

from dataclasses import dataclass

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.context import get_acting_context
from userapi.mail import emails
from userapi.users.models import User

from . import sessions, sign_in_queries
from .assurance import Proof, Way
from .models import Session
from .problems import AccountChanged


@dataclass(frozen=True, slots=True)
class Identified:
    """An account, and the first proof of identity that its owner gave.

    Attributes:
        user_id: the account.
        session_version: that of the account when the proof was checked.
        way: how the session begins.
        proof: what was proved.
        password_hash: the stored hash when the proof was checked.
        new_password_hash: the hash to store: the same, or a new one with the current cost settings.
    """

    user_id: int
    session_version: int
    way: Way
    proof: Proof
    password_hash: str | None
    new_password_hash: str | None


def identify_new_password(user: User, way: Way) -> Identified:
    """Identify a user who has just set the first password of the account.

    Args:
        user: locked or new.
        way: how the user came to it.
    """
    kept = user.password_hash
    return Identified(user.id, user.session_version, way, Proof.PASSWORD, kept, kept)


def admit(identified: Identified) -> Session:
    """Begin a session for a user who has given every proof of identity that is due.

    One UPDATE decides, so a deactivation, a new password or the end of all sessions since the proof was checked wins.

    Raises:
        AccountChanged: the account has changed since the proof was checked.
    """
    user_id = identified.user_id
    version = sign_in_queries.record_sign_in(
        user_id,
        identified.session_version,
        identified.password_hash,
        identified.new_password_hash,
        clock.now(),
        must_be_verified=must_be_verified(),
    )
    if version is None:
        raise AccountChanged
    if identified.new_password_hash != identified.password_hash:
        audit_log.record("user.password_rehashed", "user", user_id, actor_id=user_id)
    _notify_of_new_device(user_id)
    return sessions.begin_session(user_id, version, identified.way, _amr(identified.proof))


def _amr(proof: Proof) -> str:
    """The claim `amr`. A passkey that signs in alone has verified its user, so it counts as two kinds of proof."""
    return f"{Proof.PASSKEY} {Proof.SEVERAL}" if proof is Proof.PASSKEY else proof.value


def must_be_verified() -> bool:
    """Whether only users with a confirmed email may sign in."""
    return bool(current_app.config["EMAIL_VERIFICATION"] == "mandatory")


def _notify_of_new_device(user_id: int) -> None:
    """Email the user if neither the IP address nor the browser is known from an earlier session."""
    origin = get_acting_context()
    if sign_in_queries.is_known_device(user_id, origin.ip_address, origin.user_agent) is False:
        user = emails.Recipient(*sign_in_queries.read_recipient(user_id), user_id)
        emails.send_new_sign_in(user, when=clock.now(), ip=origin.ip_address, user_agent=origin.user_agent)
