"""Reads the social accounts of allauth in a Django dump.

The result is the list `identities` of JSON Lines, so that `identity_validation` checks both alike. A social account
becomes an identity only if the dump shows that its provider is one of `PROVIDERS`, and that its uid is the subject that
this provider's tokens have here; otherwise the reason is reported. Its tokens are not read.
"""

import json
import sqlite3
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from flask_babel import gettext as _

from userapi.core.provider_settings import PRESETS, Provider
from userapi.federation import providers

from .identity_validation import UNREADABLE
from .records import printable

ACCOUNT, APP = "socialaccount.socialaccount", "socialaccount.socialapp"

#: The provider of allauth for any OpenID provider. The accounts have the `provider_id` of their app instead.
OPENID_CONNECT = "openid_connect"

WELL_KNOWN = "/.well-known/openid-configuration"

#: Where allauth stores the URL of the user's page at a provider whose users may be on several hosts.
PAGES = {"github": "html_url", "gitlab": "web_url"}

TABLE = """
    CREATE TABLE social_accounts (owner TEXT, entry TEXT, fields TEXT);
    CREATE INDEX social_accounts_by_owner ON social_accounts (owner);
"""
OWN = "SELECT entry, fields FROM social_accounts WHERE owner IN (?, ?) ORDER BY rowid"
STRAY = """
    SELECT count(*) FROM social_accounts
    WHERE NOT EXISTS (SELECT 1 FROM users WHERE pk = owner)
    AND NOT EXISTS (SELECT 1 FROM natural_keys WHERE key = owner)
"""


class NotMapped(ValueError):
    """A social account cannot be imported; the text says why."""


class SocialAccounts:
    """The social accounts of a dump, in a table, and the apps that they came from.

    Args:
        connection: of the dump.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.apps: dict[str, dict[str, Any]] = {}
        self.is_empty = True

    def add(self, model: str, owner: str, label: str, fields: dict[str, Any]) -> None:
        """Store an account, or an app without its secrets."""
        if model == APP:
            settings = fields.get("settings")
            kept = {"provider": fields.get("provider"), "settings": settings if isinstance(settings, dict) else {}}
            self.apps[str(fields.get("provider_id") or fields.get("provider"))] = kept
            return
        self.is_empty = False
        self.connection.execute("INSERT INTO social_accounts VALUES (?, ?, ?)", (owner, label, json.dumps(fields)))

    def of_user(self, pk: str | None, natural_key: str | None) -> list[dict[str, Any]] | None:
        """The identities of a user, by its keys; None if there are none."""
        if self.is_empty:
            return None
        rows = self.connection.execute(OWN, (pk, natural_key)).fetchall()
        return [self._read(entry, json.loads(fields)) for entry, fields in rows] or None

    def count_strays(self, left_out: Counter[str]) -> None:
        """Count the accounts whose user is not in the file."""
        (stray,) = self.connection.execute(STRAY).fetchone()
        if stray:
            left_out[f"{ACCOUNT} without its user"] += stray

    def _read(self, entry: str, fields: dict[str, Any]) -> dict[str, Any]:
        data = fields.get("extra_data")
        data = data if isinstance(data, dict) else {}
        try:
            provider = self._find_provider(str(fields.get("provider")), fields.get("uid"), data)
        except NotMapped as error:
            return {UNREADABLE: f"{entry}: {error}"}
        return {
            "issuer": provider.issuer,
            "subject": fields.get("uid"),
            "provider": provider.id,
            "email": _find_email(data),
            "created_at": fields.get("date_joined"),
            "last_used_at": fields.get("last_login"),
        }

    def _find_provider(self, name: str, uid: Any, data: dict[str, Any]) -> Provider:
        app = self.apps.get(name, {"provider": name, "settings": {}})
        kind = str(app["provider"])
        if kind == "microsoft":
            raise NotMapped(_("allauth stores another ID of Microsoft accounts than Microsoft's ID tokens have."))
        if kind in PRESETS:
            found = [each for each in providers.configured() if each.preset == kind and _is_at(each, kind, data)]
            wanted = kind
        else:
            issuer = _find_issuer(app["settings"], uid, data)
            found = [each for each in providers.configured() if _is_openid(each) and _same(each.issuer, issuer)]
            wanted = issuer or name
        if len({each.issuer for each in found}) != 1:
            raise NotMapped(_("PROVIDERS names no provider that is known to be %(name)s.", name=printable(wanted)))
        return found[0]


def _is_at(provider: Provider, kind: str, data: dict[str, Any]) -> bool:
    """Whether an account is at the host of a provider, if users of this kind of provider may be on several."""
    return kind not in PAGES or urlsplit(str(data.get(PAGES[kind]))).netloc == urlsplit(provider.issuer).netloc


def _is_openid(provider: Provider) -> bool:
    """Whether the issuer of a provider is the same for all its users, and its tokens have subjects."""
    return provider.preset not in ("github", "microsoft")


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _find_issuer(settings: dict[str, Any], uid: Any, data: dict[str, Any]) -> str:
    """The issuer of an account at an OpenID provider: that of its ID token, or else of its app; or an empty text.

    Raises:
        NotMapped: the uid is not the subject.
    """
    token = data.get("id_token")
    claims = token if isinstance(token, dict) else {}
    if settings.get("uid_field", "sub") != "sub" or claims.get("sub", uid) != uid:
        raise NotMapped(_("Its uid is not the subject of the ID token (uid_field)."))
    url = settings.get("server_url")
    return str(claims.get("iss") or (url.removesuffix(WELL_KNOWN) if isinstance(url, str) else ""))


def _find_email(data: dict[str, Any]) -> Any:
    """The email that the provider named last. Since 65.11, allauth keeps two answers of OpenID providers apart."""
    for each in (data.get("userinfo"), data.get("id_token"), data):
        if isinstance(each, dict) and each.get("email"):
            return each["email"]
    return None
