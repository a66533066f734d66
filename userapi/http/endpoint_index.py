"""Indexes of the endpoints below a path."""

from flask import current_app

#: The JSON Schema of an index, for the OpenAPI document.
INDEX_SCHEMA = {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}


def list_endpoints_below(prefix: str, depth: int) -> dict[str, str]:
    """The names and URLs of the paths below a prefix that have no parameters.

    Args:
        prefix: ends in `/`.
        depth: the maximum number of further path segments.
    """
    found = {}
    for rule in current_app.url_map.iter_rules():
        name = rule.rule.removeprefix(prefix).strip("/")
        if rule.rule.startswith(prefix) and not rule.arguments and name and name.count("/") < depth:
            found[name] = current_app.config["SITE_URL"] + rule.rule
    return dict(sorted(found.items()))
