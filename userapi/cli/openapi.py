"""`python -m userapi.cli.openapi` prints the OpenAPI document; it needs no environment and no database."""

import json
import secrets
import sys
from tempfile import TemporaryDirectory

from flask import Flask
from werkzeug.utils import import_string

from userapi.settings import load

#: Loaded by name, because the application factory imports the commands and not the other way round.
FACTORY = "userapi.app:create_app"


def text(app: Flask) -> str:
    """The document as committed: indented, so that changes can be compared line by line."""
    api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    return json.dumps(api.spec.to_dict(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Print the document of an application with temporary settings."""
    with TemporaryDirectory() as folder:
        settings = load(
            {
                "SECRET_KEY": secrets.token_urlsafe(48),
                "DATABASE_URL": f"sqlite:///{folder}/none.db",
                "JWT_KEY_DIR": folder,
            }
        )
        sys.stdout.write(text(import_string(FACTORY)(settings)))


if __name__ == "__main__":
    main()
