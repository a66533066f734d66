"""Django REST framework: `TokenAuthentication`, permissions by `require(scopes=["users"])`, and `exception_handler`."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from .claims import LEVELS, Claims
from .django import get_verifier, make_response, read_claims
from .errors import NotSignedIn, Rejected


class TokenUser:
    """The caller, as `request.user`. There is no row for it in your database.

    Attributes:
        id: the user in the account service.
        claims: of the token, also in `request.auth`.
    """

    is_authenticated, is_anonymous, is_active = True, False, True

    def __init__(self, claims: Claims) -> None:
        self.id = self.pk = claims.user_id
        self.claims = claims

    def __str__(self) -> str:
        return str(self.id)


class Denied(APIException):
    """A request that may not go on."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.detail, rejected.code)
        self.status_code = rejected.status
        self.rejected = rejected
        if rejected.challenge is not None:
            self.auth_header = rejected.challenge


class TokenAuthentication(BaseAuthentication):
    """Authenticates by an access token. An invalid one is an error, also where no token is needed."""

    def authenticate(self, request: Request) -> tuple[TokenUser, Claims] | None:
        """The caller and the claims; None without a token."""
        try:
            claims = read_claims(request)
        except Rejected as rejected:
            raise Denied(rejected) from rejected
        return None if claims is None else (TokenUser(claims), claims)

    def authenticate_header(self, _request: Request) -> str:
        """The challenge to a request without a token."""
        return NotSignedIn().challenge


def require(scopes: Iterable[str] = (), level: str = LEVELS[0], max_age: int | None = None) -> type[BasePermission]:
    """A permission that callers with a sufficient token have; `Verifier.require` explains the arguments."""
    wanted = tuple(scopes)

    class Sufficient(BasePermission):
        def has_permission(self, request: Request, _view: Any) -> bool:
            if not isinstance(request.auth, Claims):
                return False
            try:
                get_verifier().require(request.auth, wanted, level, max_age)
            except Rejected as rejected:
                raise Denied(rejected) from rejected
            return True

    return Sufficient


def exception_handler(error: Exception, context: dict[str, Any]) -> Any:
    """Respond with problem documents, as the account service does: the setting `EXCEPTION_HANDLER`."""
    if isinstance(error, Denied):
        return _to_response(error.rejected)
    if isinstance(error, NotAuthenticated):
        return _to_response(NotSignedIn())
    # Imported here, because `rest_framework.views` imports the classes that the settings name, such as those above.
    from rest_framework.views import exception_handler as framework_handler

    return framework_handler(error, context)


def _to_response(rejected: Rejected) -> HttpResponse:
    return make_response(rejected)
