"""The application, for WSGI servers and the `flask` command in a checkout."""

from userapi.serving import app as app
