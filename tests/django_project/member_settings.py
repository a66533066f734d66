"""The settings of a site whose users and memberships have fields of their own."""

from site_settings import *  # noqa: F403

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "members"]
MIDDLEWARE = []
AUTH_USER_MODEL = "members.Member"
MIGRATION_MODULES = dict.fromkeys(("auth", "contenttypes", "members"))
