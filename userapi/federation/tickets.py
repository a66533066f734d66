"""Tickets: random, single-use, bound to one visit and so to one identity. They stand for what a provider has proved."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from userapi.core import clock
from userapi.security import throttling

from . import queries
from .assertions import Assertion
from .models import Visit
from .problems import VisitExpired
from .visits import MAX_LENGTH, compute_challenge, digest


class Use(StrEnum):
    """What a ticket is for.

    Attributes:
        REDEEM: an app gets the outcome of the visit for it.
        LINK: an app links the identity to the account of its user.
        REGISTRATION: a new account gets the identity.
        PROOF: an account gets the identity after its password or a code by email.
        CLAIM: an account gets the identity after a code by email, and everything else of the account goes.
    """

    REDEEM = "redeem"
    LINK = "link"
    REGISTRATION = "registration"
    PROOF = "proof"
    CLAIM = "claim"


#: How long a ticket is valid: an app acts immediately, a user fills in a form.
LIFETIMES = {
    Use.REDEEM: timedelta(minutes=1),
    Use.LINK: timedelta(minutes=1),
    Use.REGISTRATION: timedelta(minutes=15),
    Use.PROOF: timedelta(minutes=15),
    Use.CLAIM: timedelta(minutes=15),
}


def issue(state_digest: str, use: Use, assertion: Assertion) -> str:
    """Issue a ticket for a visit that was answered; an earlier ticket of the visit is void.

    Args:
        state_digest: of the visit.
        use: what the ticket is for.
        assertion: what the provider has proved.

    Raises:
        VisitExpired: the visit was voided, because the identity was unlinked.
    """
    ticket = secrets.token_urlsafe(32)
    is_stored = queries.store_answer(
        state_digest,
        {
            "issuer": assertion.issuer,
            "subject": assertion.subject,
            "email": assertion.email,
            "email_trusted": assertion.email_trusted,
            "first_name": assertion.first_name or None,
            "last_name": assertion.last_name or None,
            "outcome": use.value,
            "ticket_digest": digest(ticket),
            "expires_at": clock.now() + LIFETIMES[use],
            "used_at": None,
        },
    )
    if not is_stored:
        raise VisitExpired
    return ticket


def find(ticket: str, *uses: Use) -> Any:
    """The visit of a ticket that is still valid, with all columns; nothing is written.

    Raises:
        VisitExpired: the ticket is not valid for any of the uses.
        TooManyRequests: the client has sent too many that were not valid.
    """
    return _look_up(ticket, queries.find_ticket, uses)


def use(ticket: str, *uses: Use) -> Any:
    """Use up a ticket; the visit with all columns. Only one request can win; a rollback makes the ticket valid again.

    Raises:
        VisitExpired: the ticket is not valid for any of the uses.
        TooManyRequests: the client has sent too many that were not valid.
    """
    return _look_up(ticket, queries.use_ticket, uses)


def _look_up(ticket: str, query: Callable[[str, Sequence[str], datetime], Any], uses: Sequence[Use]) -> Any:
    if not ticket:  # the browser has no cookie: no one has guessed
        raise VisitExpired
    with throttling.count_failures("PROVIDER_ANSWER", throttling.get_client_subject()):
        return _require(query(_digest(ticket), uses, clock.now()))


def redeem(code: str, code_verifier: str, *, user: tuple[int, int] | None = None) -> Any:
    """Use up the code that an app has got with the browser; the visit with all columns.

    Args:
        code: from the URL that the browser returned to.
        code_verifier: of the app's PKCE challenge (RFC 7636).
        user: id and session version of the caller, to link an identity; None to sign in.

    Raises:
        VisitExpired: the code is not valid, the verifier is wrong, or another user has begun the visit.
        TooManyRequests: the client has sent too many that were not valid.
    """
    conditions = [Visit.client_challenge == compute_challenge(code_verifier)]
    if user is None:
        conditions.append(Visit.user_id.is_(None))
    else:
        conditions += [Visit.user_id == user[0], Visit.session_version == user[1]]
    wanted = Use.REDEEM if user is None else Use.LINK
    with throttling.count_failures("PROVIDER_ANSWER", throttling.get_client_subject()):
        return _require(queries.use_ticket(_digest(code), (wanted,), clock.now(), *conditions))


def _require(visit: Any) -> Any:
    if visit is None:
        raise VisitExpired
    return visit


def _digest(ticket: str) -> str:
    return digest(ticket) if len(ticket) <= MAX_LENGTH else ""
