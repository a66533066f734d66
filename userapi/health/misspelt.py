"""Variables that look like a misspelt setting, which the service does not read, and old names of settings."""

import difflib
from collections.abc import Iterable, Iterator

from userapi import settings

from .findings import Finding, warning

#: Prefixes that other programs do not use for their variables.
OWN_PREFIXES = ("MAIL_", "RATELIMIT_", "JWT_", "USERAPI_", "PROVIDER_")

#: Variables of other programs that resemble a setting.
FOREIGN = frozenset({"LANGUAGE", "WEB_CONCURRENCY"})

#: The minimum similarity of two names, from 0 to 1, and the minimum length of a name for the comparison.
ALIKE = 0.82
SHORTEST = 6


def check() -> Iterator[Finding]:
    """Compare the names of all variables with those of the settings."""
    variables = settings.load_environment()
    renamed = {old + suffix: new + suffix for new, old in settings.OLD_NAMES.items() for suffix in ("", "_FILE")}
    for old in sorted(name for name in renamed if variables.get(name, "").strip()):
        yield warning("settings", f"{old} is the old name of {renamed[old]}. Rename it.")
    for name, setting in misspelt(variables.keys() - renamed.keys(), settings.list_setting_names(variables)):
        advice = f"Did you mean {setting}?" if setting else "See docs/settings.md."
        yield warning("settings", f"{name} is set, but there is no such setting. {advice}")


def misspelt(variables: Iterable[str], settings: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Each variable that looks like a misspelt setting, with the setting that it resembles most."""
    known = {variable for setting in settings for variable in (setting, f"{setting}_FILE")}
    for name in sorted(set(variables) - known - FOREIGN):
        upper = name.upper()
        bare = upper.removeprefix("USERAPI_")
        if bare in known:
            yield name, bare
        elif len(name) >= SHORTEST and (close := difflib.get_close_matches(upper, known, 1, ALIKE)):
            yield name, close[0]
        elif upper.startswith(OWN_PREFIXES):
            yield name, None
