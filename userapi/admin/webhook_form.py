"""The form of a webhook: where events are sent, and which."""

from collections.abc import Collection, Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

from userapi.audit.names import ACTIONS
from userapi.html.forms import Form

#: The pattern of all events.
ALL = "*"


def group_actions() -> dict[str, list[str]]:
    """The service's actions by the pattern of their kind: `{"user.*": ["user.created", …]}`."""
    groups: dict[str, list[str]] = {}
    for action in ACTIONS:
        groups.setdefault(f"{action.partition('.')[0]}.*", []).append(action)
    return groups


def form_of(endpoint: Any, patterns: Collection[str]) -> Form:
    """The form of an existing webhook.

    Args:
        endpoint: its row.
        patterns: the events that it gets.
    """
    return _make(endpoint.url, endpoint.description, patterns, includes_user=endpoint.includes_user)


def new_form() -> Form:
    """The form of a new webhook."""
    return _make("", "", (), includes_user=False)


def read_form(sent: MultiDict[str, str]) -> Form:
    """What was typed into the form."""
    patterns = [*sent.getlist("events"), *sent.get("other_events", "").replace(",", " ").split()]
    return _make(
        sent.get("url", "").strip(), sent.get("description", "").strip(), patterns, includes_user="include" in sent
    )


def read_values(form: Form) -> Mapping[str, Any]:
    """The arguments of `endpoints.create`, and the changes of `endpoints.change`."""
    values = form.values
    return {
        "url": values["url"],
        "description": values["description"],
        "events": [*values["events"], *values["other_events"].split()],
        "includes": ["user"] if values["include"] else [],
    }


def _make(url: str, description: str, patterns: Collection[str], *, includes_user: bool) -> Form:
    offered = {ALL, *group_actions(), *ACTIONS}
    others = sorted({pattern for pattern in patterns if pattern not in offered})
    return Form(
        {
            "url": url,
            "description": description,
            "events": [pattern for pattern in dict.fromkeys(patterns) if pattern in offered],
            "other_events": " ".join(others),
            "include": includes_user,
        }
    )
