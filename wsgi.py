"""What a WSGI server and the `flask` command load."""

import sys

import config
from userapi.app import create_app

try:
    app = create_app(config.load())
except config.ConfigurationError as error:
    sys.stderr.write(f"userapi: {error}\n")
    sys.exit(1)
