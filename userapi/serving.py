"""The application with the settings of the environment: what servers, workers and commands load."""

import gc
import sys

from flask import Flask


def _load() -> Flask:
    """Load everything and make the application.

    Almost nothing of it ever becomes garbage, so the garbage collector does not run, and never searches it afterwards.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        from userapi import settings  # with the collector off
        from userapi.app import create_app

        return create_app(settings.load())
    except settings.ConfigurationError as error:
        sys.stderr.write(f"userapi: {error}\n")
        sys.exit(1)
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()


app = _load()
