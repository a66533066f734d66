"""The settings of the site, with users who sign in with other services."""

from site_settings import *  # noqa: F403
from site_settings import INSTALLED_APPS, MIGRATION_MODULES

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "allauth.socialaccount",
    *(
        f"allauth.socialaccount.providers.{name}"
        for name in ("google", "microsoft", "apple", "github", "gitlab", "facebook", "openid_connect")
    ),
]
MIGRATION_MODULES = {**MIGRATION_MODULES, "socialaccount": None}
SOCIALACCOUNT_STORE_TOKENS = True
