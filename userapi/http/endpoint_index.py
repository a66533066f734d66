"""What lies below an address: the endpoint indexes."""

from flask import current_app

#: What an index looks like, for the OpenAPI document.
INDEX_SCHEMA = {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}


def list_endpoints_below(prefix: str, depth: int) -> dict[str, str]:
    """Name → URL of the addresses below a prefix that need nothing filled in.

    Args:
        prefix: ends in `/`.
        depth: how many path segments further down to look.
    """
    found = {}
    for rule in current_app.url_map.iter_rules():
        name = rule.rule.removeprefix(prefix).strip("/")
        if rule.rule.startswith(prefix) and not rule.arguments and name and name.count("/") < depth:
            found[name] = current_app.config["SITE_URL"] + rule.rule
    return dict(sorted(found.items()))
