"""Which names own fields may have.

A name becomes a part of forms, files, claims and statements, so it is an identifier of at most 40 ASCII characters.
"""

import json
import keyword
import re

from userapi.audit.audit_log import SECRET
from userapi.users.field_definition import MAX_FIELD_NAME
from userapi.users.fields import USER

MAX_FIELDS = 50

NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{MAX_FIELD_NAME - 1}}}", re.ASCII)

#: Names with another meaning: fields of users, columns of profiles, secrets of the audit log, members of responses.
RESERVED = frozenset({*USER, *SECRET, "extra", "user_id", "has_password", "missing", "current_password", "csrf_token"})


class DeclarationError(ValueError):
    """The declaration of profile fields is not valid. The text is one line that names the field and the error."""


def check_name(name: str) -> None:
    """Check the name of a field.

    Raises:
        DeclarationError: it is not an identifier, or has another meaning.
    """
    if not NAME.fullmatch(name):
        raise DeclarationError(
            f"profile.{quote(name)}: A name has at most {MAX_FIELD_NAME} characters a to z, 0 to 9 and _, "
            "and begins with one of a to z."
        )
    if name in RESERVED or keyword.iskeyword(name):
        raise DeclarationError(f"profile.{name}: This name is reserved. Choose another one.")


def quote(text: str) -> str:
    """A text in quotation marks, on one line and not too long."""
    return json.dumps(text if len(text) <= MAX_FIELD_NAME + 20 else f"{text[:MAX_FIELD_NAME]}…")
