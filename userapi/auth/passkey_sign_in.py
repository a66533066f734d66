"""Signing in with a passkey alone: it names the account and proves possession and a PIN or biometrics."""

from userapi.audit import audit_log
from userapi.core.db import db
from userapi.mfa import passkey_options, passkey_use
from userapi.mfa.challenges import Purpose
from userapi.mfa.passkey_problems import InvalidPasskey, PasskeysUnavailable
from userapi.mfa.passkey_use import Checked
from userapi.security import throttling

from . import admission, sign_in
from .admission import Identified
from .assurance import Proof, Way
from .models import Session
from .problems import AccountChanged
from .sign_in_queries import SeenPassword


def sign_in_by_passkey(credential: object) -> Session:
    """Verify the response of a passkey and begin a session.

    Unknown passkeys, wrong signatures, used challenges and accounts that may not sign in get the same error.

    Args:
        credential: what the browser sent.

    Raises:
        InvalidPasskey: it is not accepted. An audit event may have been written, which the caller must commit.
        PasskeysUnavailable: a passkey cannot sign in here.
        TooManyRequests: the client sent too many that were not.
    """
    if not passkey_options.can_sign_in():
        raise PasskeysUnavailable
    with throttling.count_failures("PASSKEY", throttling.get_client_subject()):
        while True:
            checked = passkey_use.check(credential, Purpose.SIGN_IN)
            try:
                return _admit(checked)
            except AccountChanged:
                db.session.rollback()


def _admit(checked: Checked) -> Session:
    passkey = checked.passkey
    if not sign_in.may_sign_in(passkey):
        audit_log.record("sign_in.failed", "user", passkey.user_id, actor_id=None)
        raise InvalidPasskey
    passkey_use.use(checked, has_other_proof=False)
    return admission.admit(
        Identified(
            user_id=passkey.user_id,
            session_version=passkey.session_version,
            way=Way.PASSKEY,
            proof=Proof.PASSKEY,
            password=SeenPassword(passkey.password_hash, passkey.password_hash),
            needs_second_step=False,
        )
    )
