"""The settings in effect, for people: without secrets."""

import re
from collections.abc import Iterator
from typing import Any

from flask import current_app

from userapi import settings

#: The ends of names of settings whose values are secret.
SECRET = ("_KEY", "_PASSWORD", "_SECRET", "_TOKEN")

#: Replaces what is secret.
HIDDEN = "…"

#: What may be secret in a URL: the user name and password, and the query string, which may have a password, too.
CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")
QUERY = re.compile(r"(://[^?\s]*)\?\S*")


def list_settings() -> Iterator[tuple[str, str]]:
    """Name and value of each setting, by name; an empty text for a value that is not set."""
    for name in sorted(settings.list_setting_names() & current_app.config.keys()):
        yield name, describe_value(name, current_app.config[name])


def describe_value(name: str, value: Any) -> str:
    """A value as a text without secrets."""
    if value is None or value == "" or value == []:
        return ""
    if name.endswith(SECRET):
        return HIDDEN
    if isinstance(value, list | tuple):
        return ", ".join(describe_value(name, each) for each in value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return QUERY.sub(rf"\1?{HIDDEN}", CREDENTIALS.sub(f"{HIDDEN}@", text))
