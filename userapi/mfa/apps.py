"""Authenticator apps of an account: adding, confirming, renaming and removing them."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _

from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import NotFound
from userapi.users.models import User

from . import codes, data_key_rotation, factors, overview_queries, queries, totp
from .factors import Added
from .models import TotpDevice
from .problems import TooManyFactors, WrongSetUpCode

#: How long an app can be confirmed after it was added.
SET_UP_LIFETIME = timedelta(minutes=10)

#: The maximum number of authenticator apps of an account.
MAX_APPS = 5


@dataclass(frozen=True)
class NewApp:
    """An authenticator app that has to be confirmed.

    Attributes:
        id: of the app.
        secret: base32, for typing.
        uri: the same and the names of account and site, for a QR code.
    """

    id: uuid.UUID
    secret: str
    uri: str


def add_app(user: User, name: str, session_id: uuid.UUID) -> NewApp:
    """Add an authenticator app to a locked user; it does not count before `confirm_app`.

    Another one that is not confirmed is replaced.

    Args:
        user: locked.
        name: what the user calls it.
        session_id: the session that has to confirm it.

    Raises:
        FactorUnavailable, EmailUnverified, TooManyFactors: the user cannot add an app.
        KeyFolderError: the folder of data keys cannot be used.
    """
    factors.check_may_add(user, "totp")
    if len(queries.read_apps(user.id)) >= MAX_APPS:
        raise TooManyFactors
    data_key_rotation.ensure_key()
    factors.create_shared_row(user.id)
    queries.delete_unconfirmed_apps(user.id)
    app_id, secret = uuid.uuid4(), totp.create_secret()
    db.session.add(
        TotpDevice(
            id=app_id,
            user_id=user.id,
            name=name,
            secret=totp.seal_secret(secret, user.id, app_id),
            set_up_in=session_id,
            created_at=clock.now(),
        )
    )
    db.session.flush()
    return NewApp(app_id, secret, totp.build_uri(secret, user.email))


def require_app_to_confirm(app_id: uuid.UUID, user_id: int, session_id: uuid.UUID) -> None:
    """Require an app that a session has added and that can still be confirmed. Read outside any transaction.

    Raises:
        NotFound: there is none.
    """
    earliest = clock.now() - SET_UP_LIFETIME
    if overview_queries.find_app_to_confirm(app_id, user_id, session_id, earliest) is None:
        raise NotFound(_("No authenticator app with this id is waiting to be confirmed. Add it again."))


def confirm_app(user: User, app_id: uuid.UUID, session_id: uuid.UUID, code: str) -> Added:
    """Confirm the app of a locked user with its first code, which is used up.

    Raises:
        NotFound: there is no such app to confirm in this session.
        WrongSetUpCode: the app does not show this code.
    """
    app, now = queries.read_app_to_confirm(app_id, user.id), clock.now()
    if app is None or app.set_up_in != session_id:
        raise NotFound(_("No authenticator app with this id is waiting to be confirmed. Add it again."))
    step = totp.find_step(app, codes.normalize(code), now)
    if step is None or not queries.confirm_app(app.id, step, now, now - SET_UP_LIFETIME):
        raise WrongSetUpCode
    added = factors.record_new_factor(user, "totp", app)
    db.session.refresh(app)
    return added


def rename_app(app_id: uuid.UUID, user_id: int, name: str) -> Any:
    """Rename an authenticator app; the row of `overview_queries.list_apps` that it has now.

    Raises:
        NotFound: there is no such app, or it is another user's.
    """
    renamed = queries.rename_app(app_id, user_id, name)
    if renamed is None:
        raise NotFound(_("You have no authenticator app with this id."))
    factors.record_renamed_factor(user_id, "totp", name)
    return renamed


def remove_app(user: User, app_id: uuid.UUID) -> None:
    """Remove an authenticator app of a locked user.

    Raises:
        NotFound: there is no such app, or it is another user's.
    """
    name = queries.delete_app(app_id, user.id)
    if name is None:
        raise NotFound(_("You have no authenticator app with this id."))
    factors.record_removed_factor(user, "totp", name)
