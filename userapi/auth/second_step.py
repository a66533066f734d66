"""Sign-ins that wait for their second step. `userapi.auth.admission` starts and finishes them (decision 0050)."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.mfa import factors, passkey_options, remembered_devices, requirements
from userapi.mfa.challenges import Purpose
from userapi.mfa.factors import SecondStep
from userapi.mfa.problems import SecondStepLocked

from . import second_step_queries
from .assurance import Proof
from .models import PendingSignIn
from .problems import MfaTokenInvalid, SecondStepNeeded

#: The maximum length of a token that is looked up.
MAX_TOKEN_LENGTH = 100


def start(
    user_id: int,
    session_version: int,
    way: str,
    proof: Proof,
    *,
    identity_id: int | None = None,
    proved_email_key: str | None = None,
) -> SecondStepNeeded:
    """Store a sign-in that waits for its second step; the problem to raise, which the caller of the rule commits.

    The token in it opens nothing but the second step.

    Args:
        user_id: the account.
        session_version: that of the account when the first proof was checked.
        way: how the session would begin.
        proof: the first proof.
        identity_id: the identity at a provider that was proved, if any.
        proved_email_key: the unconfirmed address that was proved, if any.

    Raises:
        SecondStepLocked: the account has nothing to do it with, because no factor could be imported.
    """
    step = find_second_step(user_id)
    if step is not None and not step.ways:
        raise SecondStepLocked(SecondStepLocked.without_ways)
    token, now, seconds = secrets.token_urlsafe(32), clock.now(), current_app.config["SECOND_STEP_LIFETIME"]
    db.session.add(
        PendingSignIn(
            digest=_digest(token),
            user_id=user_id,
            session_version=session_version,
            way=str(way),
            identity_id=identity_id,
            proved_email_key=proved_email_key,
            amr=proof.value,
            created_at=now,
            expires_at=now + timedelta(seconds=seconds),
        )
    )
    db.session.flush()
    audit_log.record("second_step.requested", "user", user_id, {"way": (None, str(way))})
    return SecondStepNeeded(token, seconds, list(step.ways) if step is not None else [])


def find(token: str) -> Any:
    """The sign-in that waits under a token: the columns of `second_step_queries.FIND`.

    Raises:
        MfaTokenInvalid: there is none, it was used or has expired, or the account has changed since.
    """
    found = second_step_queries.find_pending(_digest(token), clock.now()) if len(token) <= MAX_TOKEN_LENGTH else None
    if found is None:
        raise MfaTokenInvalid
    return found


def get_remembered_days(pending: Any) -> int:
    """For how many days the device of a sign-in that waits can be remembered: 0 where a second step is required.

    It would not be accepted there.
    """
    return 0 if requirements.is_required(pending) else remembered_devices.lifetime().days


def bind(pending: Any) -> bytes:
    """What challenges for the passkeys of a sign-in that waits are bound to."""
    return str(pending.digest).encode()


def build_passkey_options(pending: Any) -> dict[str, Any]:
    """What a browser needs to use a passkey as the second step of a sign-in that waits.

    Raises:
        NoPasskey: the account has none for this site.
    """
    return passkey_options.build_second_factor_options(Purpose.SECOND_STEP, bind(pending), pending.user_id)


def use(pending: Any) -> None:
    """Use up a sign-in that waits.

    Raises:
        MfaTokenInvalid: another request was faster.
    """
    if not second_step_queries.use_pending(pending.digest, clock.now()):
        raise MfaTokenInvalid


def find_second_step(user_id: int) -> SecondStep | None:
    """The second step of an account, and what it can be done with; None if it is off."""
    found = factors.summary(user_id)
    return found if found is not None and found.is_on else None


def cancel(user_id: int) -> None:
    """Delete the sign-ins of an account that wait for a second step."""
    second_step_queries.delete_pending(user_id)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
