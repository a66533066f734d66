"""Devices without a browser: they show a code, which their user types on another device (RFC 8628)."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy.exc import IntegrityError

from userapi.audit import audit_log
from userapi.auth.caller import Caller
from userapi.core import clock
from userapi.core.context import get_acting_context
from userapi.core.db import db
from userapi.security import throttling

from . import (
    authorization_parameters,
    authorizations,
    client_secrets,
    clients,
    consents,
    device_queries,
    families,
    queries,
)
from .client_checks import Grant
from .client_secrets import CODE_ALPHABET, CODE_LENGTH, Use
from .models import DeviceGrant, TokenFamily
from .problems import OAuthError, UnknownDeviceCode

#: How many seconds a device waits between two requests at first, and how many more after one that was too early.
INTERVAL, SLOWER = 5, 5

#: How often another code is tried if one is in use already.
ATTEMPTS = 5


def begin(client: Any, scope: str) -> dict[str, Any]:
    """Let a device wait for its user (RFC 8628, section 3.2).

    Args:
        client: its row; it is authenticated.
        scope: as it was sent.

    Raises:
        OAuthError: the client may not do this, or requests what it may not request.
        TooManyRequests: the client has begun too many from this IP address.
    """
    if Grant.DEVICE not in client.grants.split():
        raise OAuthError("unauthorized_client", "The client is not registered for the device grant.")
    wanted = authorization_parameters.read_scopes(client, scope)
    throttling.count_attempt("DEVICE", f"{throttling.get_client_subject()} {client.id}")
    device_code, origin, now = client_secrets.make_secret(), get_acting_context(), clock.now()
    lifetime = current_app.config["OPENID_DEVICE_LIFETIME"]
    user_code = _add(
        device_digest=client_secrets.digest(Use.DEVICE, device_code),
        client_id=client.id,
        scopes=wanted,
        created_at=now,
        expires_at=now + timedelta(seconds=lifetime),
        interval=INTERVAL,
        address=origin.ip_address,
        user_agent=origin.user_agent,
    )
    page = f"{current_app.config['SITE_URL']}/device/"
    shown = show(user_code)
    return {
        "device_code": device_code,
        "user_code": shown,
        "verification_uri": page,
        "verification_uri_complete": f"{page}{shown}/",
        "expires_in": lifetime,
        "interval": INTERVAL,
    }


def _add(**values: Any) -> str:
    """Store a device under a code that no other device has; the code."""
    for _attempt in range(ATTEMPTS):
        user_code = client_secrets.make_user_code()
        try:
            with db.session.begin_nested():
                db.session.add(DeviceGrant(user_code=user_code, **values))
        except IntegrityError:
            continue
        return user_code
    raise OAuthError("temporarily_unavailable", "Try again.", 503)


def show(user_code: str) -> str:
    """A code as devices and pages show it: `WDJB-MJHT`."""
    return f"{user_code[:4]}-{user_code[4:]}"


def normalize(typed: str) -> str:
    """A code as it is stored, however it was typed; empty if it is none."""
    found = "".join(each for each in typed[:50].upper() if each in CODE_ALPHABET)
    return found if len(found) == CODE_LENGTH else ""


def find(caller: Caller, typed: str) -> Any:
    """The device that waits with a code, and its client.

    Args:
        caller: who typed the code.
        typed: as it was typed.

    Raises:
        UnknownDeviceCode: no device waits with it.
        TooManyRequests: the user, or the client, has sent too many that were wrong.
    """
    with (
        throttling.count_failures("USER_CODE", f"user {caller.user.id}"),
        throttling.count_failures("USER_CODE", throttling.get_client_subject()),
    ):
        code = normalize(typed)
        device = device_queries.find_device(code, clock.now()) if code else None
        client = queries.find_active_client(device.client_id) if device is not None else None
        if client is None:
            raise UnknownDeviceCode
    return device, client


def approve(caller: Caller, device: Any, client: Any) -> None:
    """Let a device sign in as the caller.

    Raises:
        UnknownDeviceCode: it was answered or has expired.
    """
    values = {
        "user_id": caller.user.id,
        "session_id": caller.session_id,
        "session_version": authorizations.version_of(caller.user.id),
    }
    now = clock.now()
    if not device_queries.answer_device(device.user_code, now, approved_at=now, **values):
        raise UnknownDeviceCode
    consents.remember(caller.user.id, client, device.scopes)
    audit_log.record("device_sign_in.approved", "user", caller.user.id, clients.describe_begin(client))


def deny(caller: Caller, device: Any, client: Any) -> None:
    """Do not let a device sign in.

    Raises:
        UnknownDeviceCode: it was answered or has expired.
    """
    now = clock.now()
    if not device_queries.answer_device(device.user_code, now, denied_at=now, user_id=caller.user.id):
        raise UnknownDeviceCode
    audit_log.record("device_sign_in.denied", "user", caller.user.id, clients.describe_begin(client))


def exchange(client: Any, device_code: str) -> TokenFamily:
    """Begin the family of a device that its user has approved; only one request can win.

    Raises:
        OAuthError: it was not approved yet, was denied, has expired, or asks too often.
    """
    now = clock.now()
    digest = client_secrets.digest(Use.DEVICE, device_code)
    device = device_queries.lock_device(digest, client.id) if len(device_code) <= client_secrets.MAX_LENGTH else None
    if device is None or device.used_at is not None:
        raise OAuthError("invalid_grant", "The device code is not valid or was used.")
    if device.expires_at <= now:
        raise OAuthError("expired_token", "The device code has expired.")
    if device.denied_at is not None:
        raise OAuthError("access_denied", "The user has denied the request.")
    is_early = _is_early(device, now)
    device.polled_at = now
    if is_early:
        device.interval += SLOWER
        db.session.flush()
        raise OAuthError("slow_down", f"Wait {device.interval} seconds between requests.")
    if device.approved_at is None or device.user_id is None or device.session_id is None:
        db.session.flush()
        raise OAuthError("authorization_pending", "The user has not answered yet.")
    device.used_at = now
    db.session.flush()
    return families.begin(
        client,
        uuid.uuid4(),
        device.session_id,
        device.user_id,
        version=device.session_version,
        granted=device.scopes,
        resource=None,
    )


def _is_early(device: DeviceGrant, now: datetime) -> bool:
    """Whether a device asks again too early; a second is allowed for the way there."""
    if device.polled_at is None:
        return False
    return now - device.polled_at < timedelta(seconds=max(device.interval - 1, 0))
