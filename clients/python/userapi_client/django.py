"""Django: a middleware that reads the token of a request, and `@require(scopes=["users"])` for views.

The setting `USERAPI_VERIFIER` is a `Verifier`, or the dotted path of one.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from .claims import LEVELS, Claims
from .errors import MEDIA_TYPE, Rejected
from .verifier import Verifier

#: Where the claims of a request are.
CLAIMS = "userapi_claims"


class TokenMiddleware:
    """Stores the claims of a request in `request.userapi_claims`: None without a token, 401 for an invalid one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            setattr(request, CLAIMS, read_claims(request))
        except Rejected as rejected:
            return make_response(rejected)
        return self.get_response(request)


def require(scopes: Iterable[str] = (), level: str = LEVELS[0], max_age: int | None = None) -> Callable[..., Any]:
    """A decorator of views; `Verifier.require` explains its arguments. It needs no middleware."""
    wanted = tuple(scopes)

    def check(request: HttpRequest) -> HttpResponse | None:
        try:
            claims = getattr(request, CLAIMS) if hasattr(request, CLAIMS) else read_claims(request)
            setattr(request, CLAIMS, get_verifier().require(claims, wanted, level, max_age))
        except Rejected as rejected:
            return make_response(rejected)
        return None

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return check(request) or view(request, *args, **kwargs)

        @wraps(view)
        async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return await sync_to_async(check)(request) or await view(request, *args, **kwargs)

        return guarded_async if iscoroutinefunction(view) else guarded

    return decorate


def get_verifier() -> Verifier:
    """The verifier of the settings."""
    configured: Verifier | str = settings.USERAPI_VERIFIER
    return configured if isinstance(configured, Verifier) else import_string(configured)


def read_claims(request: HttpRequest) -> Claims | None:
    """The claims of a request; None without a token.

    Raises:
        Rejected: the token is not valid.
    """
    value = request.META.get("HTTP_AUTHORIZATION")
    return get_verifier().verify_header([] if value is None else [value])


def make_response(rejected: Rejected) -> HttpResponse:
    """The response to a request that may not go on."""
    return HttpResponse(rejected.body, MEDIA_TYPE, rejected.status, headers=rejected.headers)
