"""The operations of the OpenAPI document, for tests that check each of them."""

from typing import Any

from flask import Flask


def documented_operations(app: Flask) -> list[tuple[str, str, dict[str, Any]]]:
    """Every documented operation: method, path and description."""
    document = app.test_client().get("/openapi.json").get_json()
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
