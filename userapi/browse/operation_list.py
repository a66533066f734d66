"""The list of operations beside each page: those that the caller may call, and where each can be tried or read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request

from userapi.auth import authentication

from .operations import Call, Catalogue, Operation


@dataclass(frozen=True, slots=True)
class OperationLink:
    """A link to an operation.

    Attributes:
        operation: the operation.
        url: its page, or its part of the reference if the page needs an ID that is not known.
    """

    operation: Operation
    url: str


def list_operations(
    catalogue: Catalogue, here: Sequence[Call], user: Any
) -> Iterator[tuple[Mapping[str, Any], list[OperationLink]]]:
    """The tags of the OpenAPI document with the operations that a user may call, and those of this page.

    Args:
        catalogue: the operations of the application.
        here: the operations at the path of this page.
        user: the caller's; None for an anonymous visitor.
    """
    anchors = {call.operation.anchor for call in here}
    own = {"user_id": user.id} if user else {}
    for tag, operations in catalogue.sections:
        links = [
            OperationLink(found, _url(found, own, is_here=found.anchor in anchors))
            for found in operations
            if found.anchor in anchors or authentication.allows(found.access, found.permission, user, own)
        ]
        if links:
            yield tag, links


def _url(operation: Operation, own: Mapping[str, int], *, is_here: bool) -> str:
    path = request.path if is_here else operation.path
    if path.startswith("/userapi/users/{user_id}") and own:  # the id of a service account is not the caller's
        path = path.replace("{user_id}", str(own["user_id"]))
    if "{" in path and not is_here:
        return f"/docs/#{operation.anchor}"
    return path if operation.method == "GET" else f"{path}#{operation.method.lower()}"
