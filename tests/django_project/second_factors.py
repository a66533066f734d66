"""Give users second factors with django-otp and allauth, and use them, as the old site would: prints what users have.

`python second_factors.py ORIGIN` creates the factors. A passkey belongs to ORIGIN. What is printed is JSON: secrets of
apps in base32, codes, and private keys of passkeys.
"""

import base64
import json
import os
import sys
import time
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.authenticator import Authenticator, encode, make_key


def django_otp(user, **fields):
    """An app of django-otp; its secret in base32."""
    from django_otp.plugins.otp_totp.models import TOTPDevice

    device = TOTPDevice.objects.create(user=user, name="default", **fields)
    return base64.b32encode(device.bin_key).decode()


def use_code_of_django_otp(user, secret):
    """Use the code that an app shows now, as a sign-in does; the time step of the code."""
    device = user.totpdevice_set.get()
    assert device.verify_token(code(secret, device.digits, device.step))
    return device.last_t


def static_tokens(user, *tokens):
    """Backup tokens of django-otp."""
    from django_otp.plugins.otp_static.models import StaticDevice

    device = StaticDevice.objects.create(user=user, name="backup")
    for token in tokens:
        device.token_set.create(token=token)
    return list(tokens)


def allauth_app(user):
    """An app of allauth."""
    from allauth.mfa.totp.internal import auth

    secret = auth.generate_totp_secret()
    auth.TOTP.activate(user, secret)
    return secret


def use_code_of_allauth(user, secret):
    """Use the code that an app shows now, as a sign-in does."""
    authenticator = user.authenticator_set.get(type="totp")
    assert authenticator.wrap().validate_code(code(secret))
    authenticator.record_usage()


def allauth_codes(user, used=()):
    """Recovery codes of allauth, some of them used."""
    from allauth.mfa.recovery_codes.internal import auth

    codes = auth.RecoveryCodes.activate(user).generate_codes()
    for number in used:
        assert user.authenticator_set.get(type="recovery_codes").wrap().validate_code(codes[number])
    return codes


def migrated_codes(user, *codes):
    """Recovery codes that allauth has from django-otp."""
    user.authenticator_set.create(type="recovery_codes", data={"migrated_codes": list(codes)})
    return list(codes)


def passkey(user, origin, **changes):
    """A passkey, registered with allauth; what an authenticator keeps of it."""
    from allauth.core import context
    from allauth.mfa.webauthn.internal import auth
    from django.test import RequestFactory

    request = RequestFactory().get("/", headers={"host": urlsplit(origin).netloc})
    request.session = {}
    browser = Authenticator(origin)
    with context.request_context(request):
        options = json.loads(json.dumps(auth.begin_registration(user, passwordless=True), default=encode))
        credential = browser.create(options["publicKey"], private=make_key(-7), algorithm=-7, **changes)
        auth.complete_registration(credential)
        auth.WebAuthn.add(user, "Key of the old site", credential)
    key = browser.passkeys[0]
    private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"private": private, "credential_id": encode(key.credential_id), "user_handle": encode(key.user_handle)}


def code(secret, digits=6, step=30):
    """The code that an app shows now."""
    from django_otp.oath import totp

    return f"{totp(base64.b32decode(secret), step, digits=digits):0{digits}}"


def otp_used(user):
    """An app of django-otp, with the step of the code that was used."""
    secret = django_otp(user)
    return {"secret": secret, "step": use_code_of_django_otp(user, secret)}


def allauth_used(user):
    """An app of allauth, after a sign-in."""
    secret = allauth_app(user)
    use_code_of_allauth(user, secret)
    return {"secret": secret}


def allauth_encrypted(user):
    """An app of a site that encrypts secrets."""
    allauth_app(user)
    user.authenticator_set.update(data={"secret": "gAAAAABnX_vT9mZ0lq3Vb8oT1kU7f-5Jw=="})
    return {}


def hotp(user):
    """An app with a counter."""
    from django_otp.plugins.otp_hotp.models import HOTPDevice

    HOTPDevice.objects.create(user=user, name="default")
    return {}


KINDS = {
    "otp": lambda user: {"secret": django_otp(user)},
    "otp_used": otp_used,
    "otp_short": lambda user: {"secret": django_otp(user, key="00112233445566778899")},
    "otp_eight_digits": lambda user: {"secret": django_otp(user, digits=8)},
    "otp_minute": lambda user: {"secret": django_otp(user, step=60)},
    "otp_unconfirmed": lambda user: {"secret": django_otp(user, confirmed=False)},
    "otp_t0": lambda user: {"secret": django_otp(user, t0=15)},
    "hotp": hotp,
    "static": lambda user: {"codes": static_tokens(user, "abcd2357", "oil2oil2")},
    "otp_and_static": lambda user: {"secret": django_otp(user), "codes": static_tokens(user, "wxyz7654")},
    "allauth": lambda user: {"secret": allauth_app(user)},
    "allauth_used": allauth_used,
    "allauth_codes": lambda user: {"secret": allauth_app(user), "codes": allauth_codes(user, used=(0, 3))},
    "allauth_migrated": lambda user: {
        "secret": allauth_app(user), "codes": migrated_codes(user, "qrst4567", "uvwx2345")
    },
    "allauth_encrypted": allauth_encrypted,
    "passkey": lambda user: {"passkey": passkey(user, sys.argv[1])},
    "passkey_elsewhere": lambda user: {"passkey": passkey(user, "https://elsewhere.example")},
    "none": lambda user: {},
}  # fmt: skip


def fill():
    """Give the last active users, whose hashes are cheap, a kind of factors each; what they have, by kind."""
    from api.models import User

    users = User.objects.filter(is_active=True).order_by("-id")
    return {
        kind: {"number": user.pk, "email": user.email, **make(user)}
        for (kind, make), user in zip(KINDS.items(), users, strict=False)
    }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
    import django

    django.setup()
    while time.time() % 60 > 50:
        time.sleep(1)  # so that no step ends between two lines
    sys.stdout.write(json.dumps(fill()))
