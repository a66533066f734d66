"""Recovery codes: sixteen characters, single-use, shown when they are created and never again."""

import secrets

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock
from userapi.mail import factor_emails
from userapi.security import data_keys
from userapi.security.data_keys import DataKeyMissing
from userapi.users.models import User

from . import data_key_rotation, device_queries, queries

PURPOSE = "recovery-code"

#: Crockford's base32: without characters that look like others.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

#: 80 bits.
LENGTH = 16
GROUP = 4

#: The lengths of codes that came from another service, in the normal form.
IMPORTED_LENGTHS = range(6, 33)

#: What users may type instead of a character.
LOOKALIKES = str.maketrans("oil", "011")


def create_codes(user_id: int) -> list[str]:
    """Replace the recovery codes of a locked user; the new codes, in groups of four characters.

    Raises:
        KeyFolderError: the folder of data keys cannot be used.
    """
    data_key_rotation.ensure_key()
    codes = [
        "".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) for _ in range(current_app.config["RECOVERY_CODES"])
    ]
    digests = [data_keys.authenticate(code, PURPOSE, str(user_id)) for code in codes]
    queries.replace_recovery_codes(user_id, digests, clock.now())
    audit_log.record("recovery_codes.made", "user", user_id, {"codes": (None, len(codes))})
    return ["-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP)) for code in codes]


def delete_codes(user_id: int) -> None:
    """Delete the recovery codes of a user."""
    queries.replace_recovery_codes(user_id, (), clock.now())


def may_be_code(typed: str) -> bool:
    """Whether a text without spaces and hyphens may be a recovery code, also of another service."""
    return len(typed) in IMPORTED_LENGTHS and typed.isascii() and typed.isalnum()


def find_normal_form(typed: str) -> str:
    """A code as it is compared, from what a user typed without spaces and hyphens."""
    return typed.lower().translate(LOOKALIKES)


def use_code(user: User, code: str) -> bool:
    """Use up a recovery code in the current transaction, and tell its owner; whether it was good.

    Remembered devices are forgotten, because users who need a recovery code may have lost one of them.

    Raises:
        DataKeyMissing: the code may be under a key that is not in the folder.
    """
    typed = find_normal_form(code)
    digests = data_keys.authenticate_under_each_key(typed, PURPOSE, str(user.id))
    if not queries.use_recovery_code(user.id, digests, clock.now()):
        _report_missing_key(user.id)
        return False
    device_queries.delete_devices(user.id)
    left = len(queries.read_unused_codes(user.id))
    audit_log.record("recovery_code.used", "user", user.id, {"left": (left + 1, left)})
    factor_emails.send_recovery_code_used(user, left=left, when=clock.now())
    return True


def _report_missing_key(user_id: int) -> None:
    known = {key.kid for key in data_keys.get_data_keys().all()}
    for digest in queries.read_unused_codes(user_id):
        if (kid := data_keys.find_kid(digest)) not in known:
            raise DataKeyMissing(kid)
