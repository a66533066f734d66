"""What a WSGI server and the `flask` command load in a checkout."""

from userapi.serving import app as app
