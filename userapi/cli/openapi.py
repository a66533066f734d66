"""`python -m userapi.cli.openapi` prints the OpenAPI document; it needs no environment and no database."""

import json
import secrets
import sys
from tempfile import TemporaryDirectory

from flask import Flask
from werkzeug.utils import import_string

from userapi.settings import load

#: Loaded by name, as a server loads it: the factory stands above the command line and knows it.
FACTORY = "userapi.app:create_app"


def text(app: Flask) -> str:
    """The document as it is committed: laid out for readers and for comparison line by line."""
    api = app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    return json.dumps(api.spec.to_dict(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Print the document of an application whose settings are thrown away."""
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
