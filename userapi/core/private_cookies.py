"""How cookies are set and deleted: no script can read them, and with HTTPS they are sent only over HTTPS."""

from flask import Response, current_app


def set_cookie(response: Response, name: str, value: str, max_age: int | None = None, path: str = "/") -> Response:
    """Set a cookie.

    Args:
        response: that sets it.
        name: its name.
        value: its value.
        max_age: in seconds; None until the browser is closed.
        path: below which browsers send it.
    """
    secure = current_app.config["JWT_COOKIE_SECURE"]
    response.set_cookie(name, value, max_age=max_age, path=path, httponly=True, secure=secure, samesite="Lax")
    return response


def delete_cookie(response: Response, name: str, path: str = "/") -> Response:
    """Delete a cookie."""
    response.delete_cookie(name, path=path, httponly=True, secure=current_app.config["JWT_COOKIE_SECURE"])
    return response


def protect_name(name: str) -> str:
    """The name of a cookie that only this host can set, if it uses HTTPS.

    Another site cannot set a cookie whose name begins with `__Host-`; one on a subdomain can set all others. Such a
    cookie has the path `/`.
    """
    return f"__Host-{name}" if current_app.config["JWT_COOKIE_SECURE"] else name
