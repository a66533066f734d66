"""Make the tables, and print the hash that every password has."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.core.management import call_command  # noqa: E402
from people import PASSWORD  # noqa: E402

call_command("migrate", run_syncdb=True, verbosity=0)
print(make_password(PASSWORD))
