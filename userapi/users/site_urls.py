"""The addresses in letters: built from the settings alone, whatever `Host` a request came with."""

from flask import current_app


def link(*parts: str) -> str:
    """A page of the front end, or of ours when there is no other: `link("verify-email", token)`."""
    base = current_app.config["FRONTEND_URL"] or current_app.config["SITE_URL"]
    return "/".join((base, *parts)) + "/"
