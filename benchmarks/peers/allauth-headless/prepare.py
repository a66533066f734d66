"""Create the tables, and print the password hash of all users."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.core.management import call_command  # noqa: E402
from sample_users import PASSWORD  # noqa: E402

call_command("migrate", verbosity=0)
call_command("createcachetable")
print(make_password(PASSWORD))
