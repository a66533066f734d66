"""The passkeys of an account: adding, listing, renaming and removing them."""

import logging
import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import NotFound
from userapi.users.models import User

from . import factors, passkey_options, passkey_queries, webauthn
from .challenges import Purpose
from .credentials import CeremonyError
from .factors import Added
from .passkey_models import Passkey
from .passkey_options import get_relying_party
from .passkey_problems import PasskeyKnown, PasskeyRefused, PasskeysUnavailable
from .passkey_use import compute_digest, expect, use_challenge
from .problems import TooManyFactors

log = logging.getLogger(__name__)

#: The maximum number of passkeys of an account.
MAX_PASSKEYS = 20


def request_options(user: User, session_id: uuid.UUID) -> dict[str, Any]:
    """The options for a new passkey of a locked user.

    Raises:
        PasskeysUnavailable, FactorUnavailable, EmailUnverified, TooManyFactors: the user cannot add one.
    """
    _check_may_add(user)
    factors.create_shared_row(user.id)
    return passkey_options.build_creation_options(user, session_id)


def add(user: User, session_id: uuid.UUID, credential: object, name: str) -> Added:
    """Add a passkey to a locked user.

    Args:
        user: locked.
        session_id: the session that requested the options.
        credential: what the browser sent.
        name: what the user calls it.

    Raises:
        PasskeyRefused: the response fails a check.
        PasskeyKnown: the passkey belongs to an account already.
        PasskeysUnavailable, FactorUnavailable, EmailUnverified, TooManyFactors: the user cannot add one.
    """
    _check_may_add(user)
    try:
        verified = webauthn.verify_registration(
            credential, get_relying_party(), expect(Purpose.REGISTRATION, session_id.bytes)
        )
    except CeremonyError as error:
        log.info("passkey refused", extra={"reason": str(error)})
        raise PasskeyRefused from error
    if not use_challenge(verified.challenge):
        raise PasskeyRefused
    passkey = Passkey(
        id=uuid.uuid4(),
        user_id=user.id,
        credential_digest=compute_digest(verified.credential_id),
        credential_id=verified.credential_id,
        public_key=verified.public_key,
        algorithm=verified.algorithm,
        sign_count=verified.flags.sign_count,
        aaguid=verified.aaguid,
        transports=" ".join(verified.transports),
        rp_id=get_relying_party().id,
        backup_eligible=verified.flags.backup_eligible,
        backed_up=verified.flags.backed_up,
        user_verified=verified.flags.user_verified,
        discoverable=verified.discoverable,
        name=name,
        created_at=clock.now(),
    )
    db.session.add(passkey)
    try:
        db.session.flush()
    except sa.exc.IntegrityError as error:
        db.session.rollback()
        raise PasskeyKnown from error
    return factors.record_new_factor(user, "passkey", passkey)


def rename(passkey_id: uuid.UUID, user_id: int, name: str) -> Any:
    """Rename a passkey; the row that it has now.

    Raises:
        NotFound: there is no such passkey, or it is another user's.
    """
    renamed = passkey_queries.rename_passkey(passkey_id, user_id, name)
    if renamed is None:
        raise NotFound(_("You have no passkey with this id."))
    factors.record_renamed_factor(user_id, "passkey", name)
    return renamed


def remove(user: User, passkey_id: uuid.UUID) -> None:
    """Remove a passkey of a locked user.

    Raises:
        NotFound: there is no such passkey, or it is another user's.
    """
    name = passkey_queries.delete_passkey(passkey_id, user.id)
    if name is None:
        raise NotFound(_("You have no passkey with this id."))
    factors.record_removed_factor(user, "passkey", name)


def list_passkeys(user_id: int) -> Sequence[Any]:
    """The passkeys of a user, oldest first, outside any transaction."""
    return passkey_queries.list_passkeys(user_id)


def _check_may_add(user: User) -> None:
    if not passkey_options.are_available():
        raise PasskeysUnavailable(_("This site cannot use passkeys, because its address is an IP address."))
    factors.check_may_add(user, "passkey")
    if passkey_queries.count_passkeys(user.id) >= MAX_PASSKEYS:
        raise TooManyFactors
