"""Checks of the clients of the OpenID provider: what keeps their users from signing in, and what should be changed."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import current_app

from userapi.core import clock, migrations
from userapi.openid import logout_notices, queries
from userapi.openid.models import ClientKind
from userapi.openid.openid_tokens import Algorithm
from userapi.outbound import queries as notice_queries
from userapi.security import signing_keys
from userapi.security.key_folder import KeyFolderError

from .findings import Finding, failure, ok, warning

#: After this time without a token, a client is no longer used.
UNUSED = timedelta(days=180)

#: A logout notice that has been queued for longer is delayed by more than a restart of its client.
MAX_DELAY = timedelta(hours=1)

#: The number of clients that a line names.
MAX_NAMED = 5

PART = "clients"

Check = Callable[[Sequence[Any]], Iterator[Finding]]


def check() -> Iterator[Finding]:
    """Check the active clients. Without any, there is nothing to report."""
    try:
        if migrations.is_current() and (active := [row for row in queries.list_clients() if row.disabled_at is None]):
            yield from _check(active)
    except sa.exc.SQLAlchemyError:
        return  # reported by the health checks


def _check(active: Sequence[Any]) -> Iterator[Finding]:
    found = [finding for check_clients in CHECKS for finding in check_clients(active)]
    yield from found or [ok(PART, f"{len(active)} registered, nothing to change")]


def _rsa_key(active: Sequence[Any]) -> Iterator[Finding]:
    affected = [row for row in active if row.id_token_alg == Algorithm.RS256]
    try:
        if affected and not signing_keys.get_rsa_key_ring().all():
            yield failure(
                PART,
                f"There is no RSA key in JWT_KEY_DIR, so users cannot sign in to {_name(affected)}, which needs RS256. "
                "Restore the folder `rsa` from a backup, or run `flask keys rotate --rsa`.",
            )
    except KeyFolderError:
        return  # reported by the check of keys


def _code_challenges(active: Sequence[Any]) -> Iterator[Finding]:
    affected = [row for row in active if not row.requires_pkce]
    if affected:
        yield warning(
            PART,
            f"Exempted from PKCE, which protects codes that were stolen: {_name(affected)}. When the application sends "
            "a code challenge, run `flask clients edit CLIENT_ID --pkce`.",
        )


def _unencrypted(active: Sequence[Any]) -> Iterator[Finding]:
    """URLs from the time when the site was http. A native client may have http on its own machine (RFC 8252)."""
    if not current_app.config["SITE_URL"].startswith("https://"):
        return
    affected = [
        row
        for row in active
        if row.kind != ClientKind.NATIVE and any(urlsplit(url).scheme == "http" for url in row.redirect_uris)
    ]
    if affected:
        yield warning(
            PART,
            f"A redirect URI has http, so codes are sent unencrypted: {_name(affected)}. Register https with "
            "`flask clients edit CLIENT_ID --redirect-uri URL`.",
        )


def _issuer(_active: Sequence[Any]) -> Iterator[Finding]:
    issuer, site = current_app.config["JWT_ISSUER"], current_app.config["SITE_URL"]
    if issuer != site:
        yield warning(
            PART,
            f"JWT_ISSUER is {issuer}, but tokens of clients are issued by SITE_URL, {site}. An API that accepts both "
            "must know both. Remove the setting, unless other services verify tokens with it.",
        )


def _delayed_notices(_active: Sequence[Any]) -> Iterator[Finding]:
    backlog = notice_queries.read_backlog(logout_notices.KIND)
    if backlog.since is not None and clock.now() - backlog.since > MAX_DELAY:
        yield warning(
            PART,
            f"{backlog.due} logout notices are queued, the oldest since {backlog.since:%Y-%m-%d %H:%M} UTC, so there "
            f"users may still be signed in. `flask notices list --kind {logout_notices.KIND} --state due` shows why. "
            "When the application works again, run `flask notices retry --recipient CLIENT_ID`.",
        )


def _unused(active: Sequence[Any]) -> Iterator[Finding]:
    before = clock.now() - UNUSED
    affected = [row for row in active if (row.last_used_at or row.created_at) < before]
    if affected:
        yield warning(
            PART,
            f"Not used for {UNUSED.days} days: {_name(affected)}. Run `flask clients disable CLIENT_ID` if the "
            "application is gone.",
        )


CHECKS: tuple[Check, ...] = (_rsa_key, _code_challenges, _unencrypted, _issuer, _delayed_notices, _unused)


def _name(affected: Sequence[Any]) -> str:
    names = [f"{row.name} ({row.id})" for row in affected[:MAX_NAMED]]
    more = len(affected) - len(names)
    return ", ".join([*names, *([f"{more} more"] if more else [])])
