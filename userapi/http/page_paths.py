"""Which page shows the form that was submitted to a path."""

from flask.globals import request_ctx


def find_page_above(path: str) -> str:
    """The nearest path, from this one upwards, that can be opened with GET; `/` if there is no other."""
    adapter = request_ctx.url_adapter
    while path != "/" and (adapter is None or not adapter.test(path, method="GET")):
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return path
