"""Service accounts: accounts of programs, which use the API with API keys. Superusers create and delete them."""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.core.email_domains import SERVICE_DOMAIN
from userapi.core.problems import NotFound, PermissionDenied, ValidationFailed

from . import account_kinds, accounts, queries
from .models import AccountKind, User
from .permissions import Actor
from .problems import EmailTaken

#: What a name looks like: it is the part before the @ of the account's address.
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")
MAX_NAME_LENGTH = 50

INVALID_NAME = lazy_gettext(
    "Use up to 50 characters a–z, digits and hyphens. A hyphen cannot be the first or last character."
)


class NameTaken(ValidationFailed):
    """Another service account has the name."""

    code = "name_taken"
    title = lazy_gettext("Name already in use")

    def __init__(self) -> None:
        super().__init__(errors={"name": [_("Another service account has this name.")]})


def create(name: str, *, by: Actor | None = None) -> User:
    """Create a service account.

    Args:
        name: see `NAME`.
        by: the superuser who creates it; None at the command line.

    Raises:
        PermissionDenied: the actor is no superuser.
        ValidationFailed, NameTaken: the caller rolls back.
    """
    require_superuser(by)
    if not NAME.fullmatch(name):
        raise ValidationFailed(errors={"name": [str(INVALID_NAME)]})
    address = address_of(name)
    user = User(kind=AccountKind.SERVICE.value, email=address, email_key=address, date_joined=clock.now())
    db.session.add(user)
    try:
        queries.flush()
    except EmailTaken as error:
        raise NameTaken from error
    audit_log.record("service_account.created", "user", user.id)
    return user


def lock(user_id: int, *, by: Actor | None = None) -> User:
    """Lock a service account until the transaction ends.

    Raises:
        PermissionDenied: the actor is no superuser.
        NotFound: there is no service account with this id.
    """
    require_superuser(by)
    user = queries.lock_user(user_id)
    if user is None or not account_kinds.is_service(user):
        raise NotFound(_("There is no service account with this id."))
    return user


def delete(user_id: int, *, by: Actor | None = None) -> None:
    """Delete a service account with everything that belongs to it.

    Raises:
        PermissionDenied: the actor is no superuser.
        NotFound: there is no service account with this id.
        hooks.Denied: an extension does not allow it.
    """
    accounts.delete(lock(user_id, by=by), by=by)


def list_accounts(user_id: int | None = None) -> Sequence[sa.Row[Any]]:
    """All service accounts in the order of their names, or the one with an id."""
    return queries.list_services(user_id)


def read(user_id: int) -> sa.Row[Any]:
    """A service account.

    Raises:
        NotFound: there is no service account with this id.
    """
    found = queries.list_services(user_id)
    if not found:
        raise NotFound(_("There is no service account with this id."))
    return found[0]


def find_id(name: str) -> int | None:
    """The id of the service account with a name."""
    return queries.find_id(address_of(name))


def address_of(name: str) -> str:
    """The email address of a service account, which identifies it and gets no email."""
    return f"{name}@{SERVICE_DOMAIN}"


def name_of(user: Any) -> str:
    """The name of a service account."""
    return str(user.email).partition("@")[0]


def require_superuser(by: Actor | None) -> None:
    """Check that an actor may administer service accounts.

    Raises:
        PermissionDenied: the actor is no superuser.
    """
    if by is not None and not by.is_superuser:
        raise PermissionDenied(_("Only a superuser can administer service accounts."))
