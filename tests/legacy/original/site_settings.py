"""The settings of the Django service, as its tutorial has them."""

import os
from pathlib import Path

import django

SECRET_KEY = "django-insecure-3k#v8w!q0z^x&5t@1m9p$y7(r2b4n6c)h=e+j_u*f%d-s1a6o8i0l2"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "site_urls"
AUTH_USER_MODEL = "api.User"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
    "rest_auth",
    "api",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
MIGRATION_MODULES = dict.fromkeys(("api", "auth", "contenttypes", "sessions", "authtoken"))
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["ORIGINAL_DATABASE"]}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
#: The texts of emails are those of the admin site.
EMAILS = str(Path(django.__file__).parent / "contrib" / "admin" / "templates")
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [EMAILS], "APP_DIRS": True}]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_jwt.authentication.JSONWebTokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
REST_USE_JWT = True
JWT_AUTH = {"JWT_ALLOW_REFRESH": True}
