"""Requests to providers, through the guarded HTTP client. No transaction may be open while one runs."""

from collections.abc import Mapping
from typing import Any

from userapi.core.provider_settings import Provider
from userapi.outbound import http_client
from userapi.outbound.http_client import NotAllowed, Response
from userapi.outbound.limits import Unavailable

from .problems import ProviderAnswerInvalid, ProviderUnavailable


def get_json(provider: Provider, url: str, what: str, token: str | None = None) -> dict[str, Any]:
    """Fetch a JSON object.

    Args:
        provider: the provider.
        url: of the object.
        what: the word for it in the log.
        token: an access token.

    Raises:
        ProviderUnavailable: there is no answer.
        ProviderAnswerInvalid: the answer is something else.
    """
    content = get_any_json(provider, url, what, token)
    if not isinstance(content, dict):
        raise ProviderAnswerInvalid(what)
    return content


def get_any_json(provider: Provider, url: str, what: str, token: str | None = None) -> Any:
    """Fetch JSON of any kind; the arguments and errors are those of `get_json`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        response = http_client.get(url, service=provider.id, headers=headers)
    except Unavailable as error:
        raise _to_problem(error) from error
    except NotAllowed as error:
        raise ProviderAnswerInvalid(f"{what}: {error.reason}") from error
    if response.status != 200:
        raise ProviderAnswerInvalid(f"{what}: status {response.status}")
    return _parse(response, what)


def post_form(
    provider: Provider, url: str, fields: Mapping[str, str], basic_auth: tuple[str, str] | None
) -> tuple[int, dict[str, Any]]:
    """Send a form to the token endpoint.

    Returns:
        The status and the JSON object of the response.

    Raises:
        ProviderUnavailable: there is no answer.
        ProviderAnswerInvalid: the answer is not a JSON object.
    """
    try:
        response = http_client.post_form(url, fields, service=provider.id, basic_auth=basic_auth)
    except Unavailable as error:
        raise _to_problem(error) from error
    except NotAllowed as error:
        raise ProviderAnswerInvalid(f"token: {error.reason}") from error
    content = _parse(response, "token")
    if not isinstance(content, dict):
        raise ProviderAnswerInvalid("token")
    return response.status, content


def _parse(response: Response, what: str) -> Any:
    try:
        return response.json()
    except ValueError:
        raise ProviderAnswerInvalid(f"{what}: not JSON") from None


def _to_problem(error: Unavailable) -> ProviderUnavailable:
    return ProviderUnavailable(headers={"Retry-After": str(error.retry_after)})
