"""Flask with faster versions of the parts that every request passes.

Each part has the same result as Flask's own; `tests/house/test_application.py` compares them, and
`docs/decisions/0019-lighter-flask.md` says how much time they save.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response
from werkzeug.routing import MapAdapter, Rule
from werkzeug.wsgi import get_host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class LateRule(Rule):
    """A rule that compiles its two builders of URLs when one is first used: a process builds few of its 300 URLs."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled: list[Callable[..., tuple[str, str]]] = []

        def build(*args: Any, **values: Any) -> tuple[str, str]:
            if not compiled:
                compiled.append(super(LateRule, self)._compile_builder(append_unknown))
            return compiled[0](*args, **values)

        return build


class Application(Flask):
    """A Flask application without coroutines, subdomains, WebSockets and non-ASCII host names."""

    url_rule_class = LateRule

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function unchanged: no view is a coroutine, and Flask would check this a dozen times per request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Create the adapter that matches the URL of a request; Flask would determine host and subdomain again."""
        if request is None or self.config["TRUSTED_HOSTS"] is not None:
            return super().create_url_adapter(request)
        environ = request.environ
        request.host = host = get_host(environ)
        return MapAdapter(
            self.url_map,
            host.lower(),
            request.root_path,
            self.url_map.default_subdomain,
            environ["wsgi.url_scheme"],
            environ.get("PATH_INFO", "/").encode("latin1").decode(errors="replace"),  # of `path`, `//a` is `/a`
            environ["REQUEST_METHOD"],
            environ.get("QUERY_STRING", "").encode("latin1").decode(errors="replace"),
        )


class CompleteResponse(Response):
    """A response whose body is complete, not streamed."""

    def get_wsgi_response(self, environ: "WSGIEnvironment") -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return body, status and headers unchanged; Werkzeug would copy them first."""
        if self.status_code == 200 and environ["REQUEST_METHOD"] != "HEAD" and not self._on_close:
            return self.response, self.status, self.headers.to_wsgi_list()  # type: ignore[return-value]
        return super().get_wsgi_response(environ)
