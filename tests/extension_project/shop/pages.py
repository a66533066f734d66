"""Pages of the shop: a plain Flask blueprint, whose views are public unless they are marked."""

import flask

from userapi.extending import current_user, db, requires, signed_in, staff

from . import baskets

blueprint = flask.Blueprint("shop_pages", __name__)


@blueprint.get("/")
def show_front() -> str:
    user = current_user()
    return f"Hello {user.email}" if user else "Hello"


@blueprint.get("/basket/")
@signed_in
def show_basket() -> str:
    return flask.render_template("shop/basket.html", basket=baskets.find(current_user().id))


@blueprint.post("/basket/empty/")
@signed_in
def empty_basket() -> flask.Response:
    baskets.empty(current_user().id)
    db.session.commit()
    return flask.redirect(flask.url_for(".show_basket"), 303)


@blueprint.get("/stock/")
@staff
def show_stock() -> str:
    return "Stock"


@blueprint.get("/prices/")
@requires("change_basket")
def show_prices() -> str:
    return "Prices"
