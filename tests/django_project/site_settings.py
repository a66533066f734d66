"""Settings as `django-admin startproject` and the public tutorial have them, over a SQLite file that DATABASE names."""

import os

SECRET_KEY = "only for the tests, which throw this project away"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "api",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_hotp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
]
MIDDLEWARE = ["allauth.account.middleware.AccountMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DATABASE"]}}
AUTH_USER_MODEL = "api.User"

# Tables are made from the models as they are.
MIGRATION_MODULES = dict.fromkeys(
    ("api", "auth", "contenttypes", "sessions", "otp_totp", "otp_static", "otp_hotp", "account", "mfa")
)

PASSWORD_HASHERS = [
    f"django.contrib.auth.hashers.{name}PasswordHasher"
    for name in ("PBKDF2", "PBKDF2SHA1", "Argon2", "BCryptSHA256", "BCrypt", "Scrypt")
]

ALLOWED_HOSTS = ["*"]
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
