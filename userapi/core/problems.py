"""Errors that a caller can act on: one class for each. `userapi.http.errors` makes responses of them."""

from typing import Any, ClassVar

from flask_babel import lazy_gettext

from .i18n import translate_messages


class Problem(Exception):
    """An error that the caller can act on.

    Attributes:
        status: the HTTP status code.
        code: a stable snake_case code for programs.
        title: what is wrong, the same for every occurrence; in the caller's language when it is read.
        detail: what is wrong this time and what to do next, likewise.
        errors: messages by field, nested like the input.
        example_errors: such messages, for the OpenAPI document.
        more: extension members of the problem document (RFC 9457, section 3.2).
        example_more: such members, for the OpenAPI document.
        headers: HTTP headers of the response.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = lazy_gettext("Bad request")
    detail: str = ""
    example_errors: ClassVar[dict[str, Any]] = {}
    example_more: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        if detail is not None:
            self.detail = detail
        self.errors = translate_messages(errors) if errors else None
        self.headers = headers or {}
        self.more = more or {}

    def __str__(self) -> str:
        return str(self.detail or self.title)


class ValidationFailed(Problem):
    """The input is malformed or breaks a rule of a field."""

    code = "validation_failed"
    title = lazy_gettext("Validation failed")
    detail = lazy_gettext("Some fields are invalid. See errors.")
    example_errors: ClassVar = {"email": ["Missing data for required field."]}


class MalformedBody(Problem):
    """The body is not what its Content-Type says."""

    code = "malformed_body"
    title = lazy_gettext("Malformed body")


class NotSignedIn(Problem):
    """No credentials came with a request that needs some (RFC 6750, section 3.1)."""

    status = 401
    code = "not_authenticated"
    title = lazy_gettext("Not signed in")
    detail = lazy_gettext(
        "Send an access token: Authorization: Bearer <token>. To get one, call POST /api-token-auth/."
    )

    def __init__(self, detail: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("WWW-Authenticate", 'Bearer realm="userapi"')


class PermissionDenied(Problem):
    """The caller is known and may not do this."""

    status = 403
    code = "permission_denied"
    title = lazy_gettext("Permission denied")
    detail = lazy_gettext("Your account does not have permission to do this.")


class NotForApiKeys(Problem):
    """The operation, or a change of these fields, requires a signed-in user."""

    status = 403
    code = "not_for_api_keys"
    title = lazy_gettext("Not available with an API key")
    detail = lazy_gettext("This cannot be done with an API key. Sign in and use an access token.")


class ReadOnlySession(Problem):
    """A member of staff who is signed in as a user cannot do this."""

    status = 403
    code = "read_only_session"
    title = lazy_gettext("Not available while signed in as a user")
    detail = lazy_gettext("You are signed in as a user, so you can only look. Stop to return to your own account.")
    detail_with_writes = lazy_gettext("Only the user can do this. Stop to return to your own account.")


class InsufficientScope(Problem):
    """The API key of the request has not all the scopes that the operation requires (RFC 6750, section 3.1)."""

    status = 403
    code = "insufficient_scope"
    title = lazy_gettext("Insufficient scope")
    detail = lazy_gettext("The API key does not have the scope that this requires.")

    def __init__(self, scopes: str) -> None:
        challenge = f'Bearer realm="userapi", error="insufficient_scope", scope="{scopes}"'
        super().__init__(headers={"WWW-Authenticate": challenge})


class ProofNeeded(Problem):
    """The operation requires a recent proof of identity (RFC 9470).

    The RFC has the status 401, to which clients react by refreshing their tokens. That does not help here; hence 403.
    """

    status = 403
    code = "proof_needed"
    title = lazy_gettext("Confirm that it is you")
    detail = lazy_gettext(
        "This requires a recent proof of your identity. Call POST /userapi/auth/prove/, "
        "then repeat the request with the new token."
    )
    detail_without_ways = lazy_gettext(
        "This requires a recent proof of your identity, and your account has nothing to give one with. "
        "Set a password by email: call POST /userapi/auth/password/reset/, then sign in again."
    )
    example_more: ClassVar = {"ways": ["password"], "acr": "aal1", "max_age": 900}

    def __init__(self, ways: list[str], level: str, max_age: int) -> None:
        challenge = f'Bearer realm="userapi", error="insufficient_user_authentication", max_age={max_age}'
        super().__init__(
            None if ways else self.detail_without_ways,
            more={"ways": ways, "acr": level, "max_age": max_age},
            headers={"WWW-Authenticate": f'{challenge}, acr_values="{level}"'},
        )


class SecondStepRequired(Problem):
    """The caller may do this only after a second step of the sign-in, which is required of the account."""

    status = 403
    code = "second_step_required"
    title = lazy_gettext("Two-step sign-in required")
    detail = lazy_gettext(
        "Your account requires two-step sign-in. Set it up, or confirm your identity with a code or a passkey."
    )
    example_more: ClassVar = {"setup_url": "https://accounts.example.com/account/security/"}

    def __init__(self, setup_url: str) -> None:
        super().__init__(more={"setup_url": setup_url})


class NotFound(Problem):
    """There is no such object."""

    status = 404
    code = "not_found"
    title = lazy_gettext("Not found")
    detail = lazy_gettext("There is no page or resource at this URL.")


class NotAcceptable(Problem):
    """The caller takes no media type that the operation can answer with."""

    status = 406
    code = "not_acceptable"
    title = lazy_gettext("Not acceptable")
    detail = lazy_gettext("The response is application/json. Add it to the Accept header, or omit the header.")


class PreconditionFailed(Problem):
    """`If-Match` names another state than the present one (RFC 9110, section 13.1.1)."""

    status = 412
    code = "precondition_failed"
    title = lazy_gettext("Precondition failed")
    detail = lazy_gettext("The resource has changed since you read it. Read it again and retry your change.")


class Unavailable(Problem):
    """A part the service needs is away or overloaded for the moment."""

    status = 503
    code = "unavailable"
    title = lazy_gettext("Service unavailable")
    detail = lazy_gettext("The service is temporarily unavailable. Try again in a moment.")

    def __init__(self, detail: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("Retry-After", "2")


class OutcomeUnknown(Unavailable):
    """The connection to the database was lost while it saved a change, which may have been saved or not."""

    code = "outcome_unknown"
    title = lazy_gettext("Unknown whether it was saved")
    detail = lazy_gettext(
        "The connection to the database was lost, so it is not known whether your change was saved. "
        "Check that before you try again."
    )


def to_problem_document(problem: Problem) -> dict[str, Any]:
    """The members of a problem document (RFC 9457, section 3.1)."""
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": str(problem.title),
        "status": problem.status,
        "detail": str(problem.detail or problem.title),
        "code": problem.code,
    }
    if problem.errors:
        members["errors"] = problem.errors
    return members | problem.more


def to_example_document(kind: type[Problem]) -> dict[str, Any]:
    """A problem document of a class, for the OpenAPI document."""
    members = {
        "type": "about:blank",
        "title": str(kind.title),
        "status": kind.status,
        "detail": str(kind.detail or kind.title),
        "code": kind.code,
    }
    errors = {"errors": kind.example_errors} if kind.example_errors else {}
    return members | errors | kind.example_more
