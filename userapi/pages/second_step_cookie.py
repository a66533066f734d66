"""The cookie that names the sign-in whose second step is done on the next page. It opens nothing else."""

from flask import Response, current_app, request, url_for

from userapi.auth.problems import SecondStepNeeded
from userapi.core import private_cookies
from userapi.html.redirects import redirect_to

COOKIE = "second_step"


def set_cookie(response: Response, mfa_token: str) -> Response:
    """Let this browser do the second step."""
    seconds = current_app.config["SECOND_STEP_LIFETIME"]
    return private_cookies.set_cookie(response, COOKIE, mfa_token, seconds, url_for("pages.show_second_step"))


def redirect_to_second_step(needed: SecondStepNeeded, following: str | None) -> Response:
    """Continue a sign-in with its second step, and then with the page `following`, if any."""
    return set_cookie(redirect_to("pages.show_second_step", next=following or None), needed.mfa_token)


def get_mfa_token() -> str:
    """The token of the sign-in of this browser; empty if there is none."""
    return request.cookies.get(COOKIE, "")


def delete_cookie(response: Response) -> Response:
    """Delete the cookie."""
    return private_cookies.delete_cookie(response, COOKIE, url_for("pages.show_second_step"))
