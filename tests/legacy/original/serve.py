"""Creates the tables and users, and serves the site: `python serve.py`; the first line of its output is the port."""

import os
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
django.setup()

from api.models import User, UserProfile  # noqa: E402 (the settings come first)

PASSWORD = "velvet tram outside 7"


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_args):
        pass


call_command("migrate", run_syncdb=True, verbosity=0)
for name, is_staff in (("old", False), ("other", False), ("boss", True)):
    user = User.objects.create_user(
        username=None, email=f"{name}@example.com", password=PASSWORD, is_staff=is_staff, is_superuser=is_staff
    )
    UserProfile.objects.create(
        user=user, title="Ms", dob="1990-12-10", address="31 Spring Street", country="United States", city="Boston",
        zip="02110",
    )  # fmt: skip
with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=QuietHandler) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
