"""The operations at a path, as the OpenAPI document describes them, and who may call them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

from flask import Flask, current_app, request
from flask_babel import lazy_gettext
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from userapi.auth import authentication
from userapi.http.openapi import Access

#: In the order in which they are shown.
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")

#: A variable of a URL rule: `<row_id:user_id>`.
VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")

#: Who may call an operation, in a word.
CALLERS = {
    Access.OPEN: lazy_gettext("anyone"),
    Access.UNCHECKED: lazy_gettext("anyone"),
    Access.SIGNED_IN: lazy_gettext("signed-in users"),
    Access.OWNER_OR_STAFF: lazy_gettext("owner or staff"),
    Access.STAFF: lazy_gettext("staff"),
    Access.SUPERUSER: lazy_gettext("superusers"),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    Attributes:
        method: such as `GET`.
        path: as in the OpenAPI document: `/userapi/users/{user_id}/`.
        access: who may call it.
        permission: what staff need to call it.
        text: the operation object (OpenAPI 3.1, section 4.8.10), its references resolved.
    """

    method: str
    path: str
    access: Access
    permission: str
    text: Mapping[str, Any]

    @property
    def anchor(self) -> str:
        """Its fragment in the reference and in Swagger UI: `/users/read_user`."""
        return f"/{self.text['tags'][0]}/{self.text['operationId']}"

    @property
    def title(self) -> str:
        """Its summary, as a heading."""
        return str(self.text["summary"]).rstrip(".")

    @property
    def needs_token(self) -> bool:
        """Whether it is called with an access token."""
        return bool(self.text["security"])

    @property
    def who(self) -> str:
        """Who may call it, in a word."""
        return str(CALLERS[self.access])

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema of its request body."""
        if "requestBody" not in self.text:
            return None
        schema: Mapping[str, Any] = self.text["requestBody"]["content"]["application/json"]["schema"]
        return schema

    @property
    def example(self) -> Any:
        """The example of its request body; None if there is no body."""
        return None if self.body is None else self.text["requestBody"]["content"]["application/json"]["example"]

    @property
    def query(self) -> list[Mapping[str, Any]]:
        """Its query parameters."""
        return [parameter for parameter in self.text.get("parameters", []) if parameter["in"] == "query"]


@dataclass(frozen=True, slots=True)
class Call:
    """An operation and the variables of its path in this request, such as `{"user_id": 5}`."""

    operation: Operation
    arguments: Mapping[str, Any]

    def is_open_to(self, user: Any) -> bool:
        """Whether a user, or an anonymous visitor (None), may call it."""
        return authentication.allows(self.operation.access, self.operation.permission, user, self.arguments)


class Catalogue:
    """Every operation of an application."""

    def __init__(self, app: Flask) -> None:
        self.endpoints = frozenset(name for name, view in app.view_functions.items() if hasattr(view, "access"))
        self._app = app

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        document: dict[str, Any] = self._app.extensions["flask-smorest"]["apis"][""]["ext_obj"].spec.to_dict()
        return document

    @cached_property
    def sections(self) -> list[tuple[Mapping[str, Any], list[Operation]]]:
        """The tags of the document, each with its operations; without the paths that the document leaves out."""
        documented = [found for found in self.operations.values() if found.path in self.document["paths"]]
        return [
            (tag, [found for found in documented if tag["name"] in found.text["tags"]]) for tag in self.document["tags"]
        ]

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """The operations by their endpoints, in the order of their paths."""
        spec = self.document
        rules = [rule for rule in self._app.url_map.iter_rules() if rule.endpoint in self.endpoints]
        # The document leaves out paths whose views it has under other paths.
        documented = {
            self._app.view_functions[rule.endpoint]: path for rule in rules if (path := _path(rule)) in spec["paths"]
        }
        found = {}
        for rule in rules:
            view = self._app.view_functions[rule.endpoint]
            access: Access = getattr(view, "access")  # noqa: B009 set by a decorator
            permission: str = getattr(view, "permission", "")
            for method in (rule.methods or set()) & set(METHODS):
                text = _resolved(spec["paths"][documented[view]][method.lower()], spec["components"])
                found[rule.endpoint] = Operation(method, _path(rule), access, permission, text)
        return dict(sorted(found.items(), key=lambda pair: (pair[1].path, METHODS.index(pair[1].method))))

    def at(self, path: str) -> list[Call]:
        """The operations at a path."""
        return [found for method in METHODS if (found := self.find(path, method)) is not None]

    def find(self, path: str, method: str) -> Call | None:
        """The operation that a request with this path and method would call."""
        adapter = current_app.create_url_adapter(request)
        try:
            endpoint, arguments = adapter.match(path, method=method)  # type: ignore[union-attr]
        except HTTPException:
            return None
        operation = self.operations.get(endpoint)
        return None if operation is None else Call(operation, arguments)

    def below(self, path: str) -> list[Operation]:
        """The operations at paths below this one."""
        return [found for found in self.operations.values() if found.path.startswith(path) and found.path != path]

    def has_items(self, path: str) -> bool:
        """Whether there is a path for each item below this one, with the ID of the item."""
        return any(re.fullmatch(re.escape(path) + r"{\w+}/", found.path) for found in self.operations.values())


def absolute_url(path: str) -> str:
    """The URL of a path of this site."""
    site: str = current_app.config["SITE_URL"]
    return site + quote(path)


def crumbs(path: str) -> Iterator[tuple[str, str]]:
    """The names and paths of everything above a path, and of itself."""
    parts = path.strip("/").split("/")
    for count in range(1, len(parts) + 1):
        yield parts[count - 1], "/" + "/".join(parts[:count]) + "/"


def _path(rule: Rule) -> str:
    """The path of a rule as in the OpenAPI document."""
    return VARIABLE.sub(r"{\1}", rule.rule)


def _resolved(part: Any, components: Mapping[str, Any]) -> Any:
    """A part of the OpenAPI document with its references resolved."""
    if isinstance(part, list):
        return [_resolved(item, components) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        _hash, _components, kind, name = part["$ref"].split("/")
        return _resolved(components[kind][name], components)
    return {key: _resolved(value, components) for key, value in part.items()}
