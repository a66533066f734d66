"""FastAPI: `guard = Guard(verifier)`, `guard.handle_errors(app)`, then `Depends(guard.require(scopes=["users"]))`."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Request, Response, Security
from fastapi.security import HTTPBearer

from .claims import LEVELS, Claims
from .errors import MEDIA_TYPE, Rejected
from .verifier import Verifier

#: Describes the token in the OpenAPI document.
bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="An access token of the account service.")


class Denied(HTTPException):
    """A request that may not go on. Without `Guard.handle_errors`, FastAPI makes a response of its own."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.status, rejected.detail, rejected.headers)
        self.rejected = rejected


class Guard:
    """Lets only callers with a valid token into operations."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier

    def require(
        self, scopes: Iterable[str] = (), level: str = LEVELS[0], max_age: int | None = None
    ) -> Callable[..., Claims]:
        """A dependency that returns the claims of the caller; `Verifier.require` explains its arguments.

        FastAPI calls it in a thread, so a request for keys does not hold the others.
        """
        wanted = tuple(scopes)

        def read_claims(request: Request, _documented: Annotated[Any, Security(bearer)] = None) -> Claims:
            try:
                claims = self.verifier.verify_header(request.headers.getlist("Authorization"))
                return self.verifier.require(claims, wanted, level, max_age)
            except Rejected as rejected:
                raise Denied(rejected) from rejected

        return read_claims

    def handle_errors(self, app: FastAPI) -> None:
        """Respond to callers without a valid token as the account service does, with a problem document."""
        app.add_exception_handler(Denied, _respond)


def _respond(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Denied)  # noqa: S101
    rejected = error.rejected
    return Response(rejected.body, rejected.status, rejected.headers, media_type=MEDIA_TYPE)
