"""The application with the settings of the environment: what servers, workers and commands load."""

import sys

from userapi import settings
from userapi.app import create_app

try:
    app = create_app(settings.load())
except settings.ConfigurationError as error:
    sys.stderr.write(f"userapi: {error}\n")
    sys.exit(1)
