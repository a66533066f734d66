"""The pages of the shop."""

from typing import Any
from urllib.parse import quote

from flask import Flask, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound, Unauthorized

from userapi.mounting import csrf_token, find_user, get_user, signed_in

from .models import Order, db


def register_views(app: Flask) -> None:
    """Add the pages, the error pages and a header to the application."""
    app.add_url_rule("/", view_func=show_home)
    app.add_url_rule("/orders/", view_func=show_orders)
    app.add_url_rule("/orders/", view_func=place_order, methods=["POST"])
    app.register_error_handler(NotFound, show_not_found)
    app.register_error_handler(Unauthorized, ask_to_sign_in)
    app.after_request(add_header)


def show_home() -> str:
    """The front page, for everyone."""
    return render_template("home.html", user=find_user())


@signed_in
def show_orders() -> str:
    """The orders of the user, and a form for another one."""
    user = get_user()
    orders = db.session.scalars(db.select(Order).filter_by(user_id=user.id).order_by(Order.id))
    return render_template("orders.html", user=user, orders=orders, csrf_token=csrf_token())


@signed_in
def place_order() -> ResponseReturnValue:
    """Order a book; the form has the CSRF value of the account."""
    db.session.add(Order(title=request.form["title"], user_id=get_user().id))
    db.session.commit()
    return redirect(url_for("show_orders"), 303)


def ask_to_sign_in(error: Unauthorized) -> ResponseReturnValue:
    """Send visitors to the sign-in page of the accounts, and back."""
    if request.method == "GET" and "Authorization" not in request.headers:
        return redirect(f"{request.script_root}/login/?next={quote(request.full_path.rstrip('?'))}")
    return error


def show_not_found(_error: NotFound) -> tuple[str, int]:
    """The error page of the shop."""
    return render_template("not_found.html"), 404


def add_header(response: Response) -> Any:
    """Add a header to every page of the shop."""
    response.headers["X-Shop"] = "bookshop"
    return response
