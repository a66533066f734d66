"""What a provider says about a user, once it was checked."""

from dataclasses import dataclass
from typing import Any

import orjson

#: The maximum length of a name that is shown in a form.
MAX_NAME = 150

#: The maximum length of what Apple says about the user.
MAX_USER = 10_000


@dataclass(frozen=True, slots=True)
class Assertion:
    """An identity that a provider has proved.

    Attributes:
        issuer: the provider's issuer; for Microsoft that of the tenant.
        subject: what the issuer calls the account.
        email: None if the provider gave none.
        email_trusted: whether the provider is an authority for it and has verified it.
        domain: the domain that the provider vouches for the user's membership of.
        first_name, last_name: to fill in a form with, and for nothing else.
    """

    issuer: str
    subject: str
    email: str | None = None
    email_trusted: bool = False
    domain: str | None = None
    first_name: str = ""
    last_name: str = ""


def of_visit(visit: Any) -> Assertion:
    """The assertion that was stored with a visit."""
    return Assertion(
        visit.issuer,
        visit.subject,
        visit.email,
        visit.email_trusted,
        first_name=visit.first_name or "",
        last_name=visit.last_name or "",
    )


def clean_name(value: object) -> str:
    """A name as text for a form; empty if it is something else."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text[:MAX_NAME] if text.isprintable() else ""


def read_name(user: str) -> tuple[str, str]:
    """The first and last name in what Apple's form says about the user at the first sign-in; empty if there is none.

    Anyone can write this form, so the names only fill in a form that the user sees.
    """
    if len(user) > MAX_USER:
        return "", ""
    try:
        content = orjson.loads(user)
    except ValueError:
        return "", ""
    name = content.get("name") if isinstance(content, dict) else None
    if not isinstance(name, dict):
        return "", ""
    return clean_name(name.get("firstName")), clean_name(name.get("lastName"))
