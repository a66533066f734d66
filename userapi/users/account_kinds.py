"""What distinguishes service accounts, which programs use with API keys, from the accounts of people."""

from typing import Any

from .models import AccountKind
from .problems import NotForServiceAccounts


def is_service(user: Any) -> bool:
    """Whether an account, with its `kind`, is that of a program."""
    return bool(user.kind == AccountKind.SERVICE)


def require_person(user: Any) -> None:
    """Check that an account can have what only people have: a password, a mailbox, a profile, every permission.

    Raises:
        NotForServiceAccounts: it is a service account.
    """
    if is_service(user):
        raise NotForServiceAccounts
