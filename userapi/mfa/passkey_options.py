"""The options of passkeys: what a browser needs to create one or to use one (WebAuthn Level 3, section 5.1)."""

import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from flask import current_app

from userapi.core.site import get_site
from userapi.users.models import User

from . import challenges, passkey_queries, public_keys
from .challenges import Purpose
from .passkey_problems import NoPasskey, PasskeysUnavailable
from .webauthn import RelyingParty


def are_available() -> bool:
    """Whether the site can have passkeys: its address is a host name."""
    return bool(current_app.config["PASSKEY_RP_ID"])


def can_sign_in() -> bool:
    """Whether a passkey can sign in without a password."""
    return are_available() and bool(current_app.config["PASSKEY_SIGN_IN"])


def signs_in_alone(passkey: Any) -> bool:
    """Whether a passkey signs in without a password: on this site, found without its ID, and with its user verified."""
    is_here = passkey.rp_id == current_app.config["PASSKEY_RP_ID"]
    return can_sign_in() and is_here and passkey.user_verified and passkey.discoverable is not False


def get_relying_party() -> RelyingParty:
    """The site that passkeys belong to."""
    config = current_app.config
    return RelyingParty(config["PASSKEY_RP_ID"], frozenset(config["PASSKEY_ORIGINS"]))


def build_creation_options(user: User, session_id: uuid.UUID) -> dict[str, Any]:
    """`PublicKeyCredentialCreationOptionsJSON` for a new passkey.

    Args:
        user: locked, with the row that the factors of an account share.
        session_id: the session that has to send the response.
    """
    site, party = get_site(), get_relying_party()
    return {
        "rp": {"id": party.id, "name": str(site.name)},
        "user": {
            "id": encode(passkey_queries.read_handle(user.id)),
            "name": user.email,
            "displayName": display_name(user),
        },
        "challenge": encode(challenges.issue(Purpose.REGISTRATION, session_id.bytes)),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in public_keys.ALGORITHMS],
        "timeout": _timeout(),
        "excludeCredentials": _describe(passkey_queries.list_passkeys(user.id)),
        "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
        "attestation": "none",
        "extensions": {"credProps": True},
    }


def build_sign_in_options() -> dict[str, Any]:
    """`PublicKeyCredentialRequestOptionsJSON` for a sign-in: the same for everyone but the challenge.

    Raises:
        PasskeysUnavailable: a passkey cannot sign in here.
    """
    if not can_sign_in():
        raise PasskeysUnavailable
    return _build_request_options(Purpose.SIGN_IN, b"", "required")


def build_second_factor_options(purpose: Purpose, bound_to: bytes, user_id: int) -> dict[str, Any]:
    """The same for a second step or a proof, with the passkeys of the user.

    Raises:
        NoPasskey: there are none for this site.
    """
    own = [row for row in passkey_queries.list_passkeys(user_id) if row.rp_id == current_app.config["PASSKEY_RP_ID"]]
    if not own:
        raise NoPasskey
    return {**_build_request_options(purpose, bound_to, "discouraged"), "allowCredentials": _describe(own)}


def describe_known(user: Any, overview: Any) -> dict[str, Any]:
    """The passkeys of an account, so that its browser stops offering those that were removed (section 5.1.10).

    Args:
        user: with email, first_name and last_name.
        overview: the account's passkeys and user handle.
    """
    rp_id = current_app.config["PASSKEY_RP_ID"]
    return {
        "rpId": rp_id,
        "userId": encode(overview.handle),
        "ids": [encode(row.credential_id) for row in overview.passkeys if row.rp_id == rp_id],
        "name": user.email,
        "displayName": display_name(user),
    }


def display_name(user: Any) -> str:
    """The name that browsers show beside a passkey."""
    return " ".join(filter(None, (user.first_name, user.last_name))) or str(user.email)


def encode(raw: bytes) -> str:
    """Base64url without padding, as browsers expect bytes in JSON."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _build_request_options(purpose: Purpose, bound_to: bytes, user_verification: str) -> dict[str, Any]:
    return {
        "challenge": encode(challenges.issue(purpose, bound_to)),
        "timeout": _timeout(),
        "rpId": current_app.config["PASSKEY_RP_ID"],
        "allowCredentials": [],
        "userVerification": user_verification,
    }


def _describe(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """`PublicKeyCredentialDescriptorJSON` of passkeys."""
    return [
        {"type": "public-key", "id": encode(row.credential_id), "transports": row.transports.split()} for row in rows
    ]


def _timeout() -> int:
    return int(challenges.LIFETIME.total_seconds() * 1000)
