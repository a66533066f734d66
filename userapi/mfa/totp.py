"""Codes of authenticator apps (RFC 6238, RFC 4226). The clock is ours, because pyotp's own check reads another one."""

import hashlib
import hmac
import logging
import uuid
from datetime import datetime
from typing import Any

from flask import current_app

from userapi.core import clock
from userapi.security import data_keys
from userapi.security.data_keys import CannotOpen, DataKeyMissing

from . import queries
from .models import TotpDevice

log = logging.getLogger(__name__)

PURPOSE = "totp"

#: The length of new secrets in base32 characters: 160 bits, as RFC 4226 recommends.
SECRET_LENGTH = 32

#: The shortest secret of an imported app, in bits.
MIN_SECRET_BITS = 80

ALGORITHMS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}

#: How far from the present a wrong code is looked for, in steps, to report a wrong clock.
CLOCK_SEARCH = 20


def create_secret() -> str:
    """A new secret in base32."""
    from pyotp import random_base32  # loaded only when someone has an app

    return random_base32(SECRET_LENGTH)


def build_uri(secret: str, account: str) -> str:
    """The `otpauth:` URI of a new app, as QR codes contain it; it names only what every app understands."""
    return str(_otp(secret).provisioning_uri(name=account, issuer_name=current_app.config["TOTP_ISSUER"]))


def seal_secret(secret: str, user_id: int, app_id: uuid.UUID) -> str:
    """Encrypt the secret of an app for its row."""
    return data_keys.seal(secret, PURPOSE, _row(user_id, app_id))


def open_secret(app: TotpDevice) -> str:
    """The secret of an app.

    Raises:
        DataKeyMissing: its key is not in the folder.
        CannotOpen: it was changed, or belongs to another row.
    """
    return data_keys.open_sealed(app.secret, PURPOSE, _row(app.user_id, app.id))


def compute_code(secret: str, step: int, digits: int = 6, algorithm: str = "SHA1") -> str:
    """The code of a time step."""
    return str(_otp(secret, digits, algorithm).generate_otp(step))


def find_step(app: TotpDevice, code: str, now: datetime) -> int | None:
    """The time step whose code this is, within the tolerance; None if there is none.

    Raises:
        DataKeyMissing: the key of the secret is not in the folder.
    """
    if len(code) != app.digits or not (code.isascii() and code.isdigit()):
        return None
    try:
        otp = _otp(open_secret(app), app.digits, app.algorithm)
    except CannotOpen:
        log.error("secret of an app cannot be opened", extra={"app": str(app.id)})
        return None
    present = int(now.timestamp()) // app.period
    found = _search(otp, code, present, current_app.config["TOTP_TOLERANCE"])
    if found is None and (far := _search(otp, code, present, CLOCK_SEARCH)) is not None:
        seconds = (far - present) * app.period
        log.warning("code of another time: the clock of the server or of the app is wrong", extra={"seconds": seconds})
    return found


def use_code(user_id: int, code: str) -> bool:
    """Use up a code of one of a user's apps, in the current transaction; whether it was good.

    Raises:
        DataKeyMissing: an app could not be read, and no other app accepted the code.
    """
    now, missing = clock.now(), None
    for app in queries.read_apps(user_id):
        try:
            step = find_step(app, code, now)
        except DataKeyMissing as problem:
            log.error("data key missing", extra={"kid": problem.kid})
            missing = problem
            continue
        if step is not None and queries.use_step(app.id, step, now):
            reseal(app)
            return True
    if missing is not None:
        raise missing
    return False


def reseal(app: TotpDevice) -> bool:
    """Seal a secret under the newest key if it is under another one; whether it was."""
    sealed = app.secret
    if data_keys.find_kid(sealed) == data_keys.get_data_keys().newest().kid:
        return False
    return queries.replace_secret(app.id, sealed, seal_secret(open_secret(app), app.user_id, app.id))


def _search(otp: Any, code: str, present: int, tolerance: int) -> int | None:
    """The step with this code that is nearest to the present."""
    for distance in range(tolerance + 1):
        for step in {present - distance, present + distance}:
            if step >= 0 and hmac.compare_digest(otp.generate_otp(step), code):
                return step
    return None


def _otp(secret: str, digits: int = 6, algorithm: str = "SHA1") -> Any:
    from pyotp import TOTP  # loaded only when someone has an app

    class AppCodes(TOTP):
        min_secret_length_bits = MIN_SECRET_BITS

    return AppCodes(secret, digits=digits, digest=ALGORITHMS[algorithm])


def _row(user_id: int, app_id: uuid.UUID) -> str:
    return f"{user_id}:{app_id}"
