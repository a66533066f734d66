"""Flask: `guard = Guard(verifier)`, then `@guard.require(scopes=["users"])` on a view."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Response, current_app, g, request

from .claims import LEVELS, Claims
from .errors import MEDIA_TYPE, NotSignedIn, Rejected
from .verifier import Verifier

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

#: Where the claims of a request are, in `flask.g`.
CLAIMS = "userapi_claims"


class Guard:
    """Lets only callers with a valid token into views."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier

    def require(
        self, scopes: Iterable[str] = (), level: str = LEVELS[0], max_age: int | None = None
    ) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result | Response]]:
        """A decorator of views; `Verifier.require` explains its arguments. Put it below `@app.route`."""
        wanted = tuple(scopes)

        def decorate(view: Callable[Arguments, Result]) -> Callable[Arguments, Result | Response]:
            @wraps(view)
            def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Any:
                try:
                    claims = self.verifier.verify_header(request.headers.getlist("Authorization"))
                    setattr(g, CLAIMS, self.verifier.require(claims, wanted, level, max_age))
                except Rejected as rejected:
                    return make_response(rejected)
                return current_app.ensure_sync(view)(*args, **kwargs)

            return guarded

        return decorate


def get_claims() -> Claims:
    """The claims of the caller, in a view with `@guard.require()`.

    Raises:
        NotSignedIn: the view has none.
    """
    claims: Claims | None = g.get(CLAIMS)
    if claims is None:
        raise NotSignedIn
    return claims


def make_response(rejected: Rejected) -> Response:
    """The response to a request that may not go on."""
    return Response(rejected.body, rejected.status, rejected.headers, mimetype=MEDIA_TYPE)
