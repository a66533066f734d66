"""The cookie that names the sign-in whose second step is done on the next page. It opens nothing else."""

from flask import Response, current_app, request, url_for

COOKIE = "second_step"


def set_cookie(response: Response, mfa_token: str) -> Response:
    """Let this browser do the second step."""
    response.set_cookie(
        COOKIE,
        mfa_token,
        max_age=current_app.config["SECOND_STEP_LIFETIME"],
        path=url_for("pages.show_second_step"),
        httponly=True,
        secure=current_app.config["JWT_COOKIE_SECURE"],
        samesite="Lax",
    )
    return response


def get_mfa_token() -> str:
    """The token of the sign-in of this browser; empty if there is none."""
    return request.cookies.get(COOKIE, "")


def delete_cookie(response: Response) -> Response:
    """Delete the cookie."""
    secure = current_app.config["JWT_COOKIE_SECURE"]
    response.delete_cookie(COOKIE, path=url_for("pages.show_second_step"), httponly=True, secure=secure)
    return response
