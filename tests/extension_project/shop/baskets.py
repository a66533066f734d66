"""The rules of the shop."""

import sqlalchemy as sa
from flask_babel import lazy_gettext

from userapi.extending import Problem, db, find_user, record, send_email

from .models import Basket, Order

MAX_ITEMS = 9


class BasketFull(Problem):
    """The basket has as many items as it may have."""

    status = 409
    code = "basket_full"
    title = "Basket full"
    detail = f"A basket has at most {MAX_ITEMS} items. Remove one first."


def find(user_id: int) -> Basket | None:
    """The basket of a user."""
    return db.session.get(Basket, user_id)


def find_all() -> list[Basket]:
    """All baskets that have items."""
    return list(db.session.scalars(sa.select(Basket).where(Basket.items > 0).order_by(Basket.user_id)))


def add(user_id: int, items: int) -> Basket:
    """Put items into the basket of a user.

    Raises:
        BasketFull: they are too many.
    """
    basket = find(user_id) or Basket(user_id=user_id, items=0)
    if basket.items + items > MAX_ITEMS:
        raise BasketFull
    record("shop.filled", "user", user_id, {"items": (basket.items, basket.items + items)})
    basket.items += items
    db.session.add(basket)
    return basket


def buy(user_id: int) -> Order:
    """Turn the basket of a user into an order."""
    basket = db.session.get_one(Basket, user_id)
    order = Order(customer=user_id, items=basket.items)
    basket.items = 0
    db.session.add(order)
    record("shop.bought", "user", user_id)
    send_email("shop_bought", find_user(user_id), lazy_gettext("Your order"), items=order.items)
    return order


def empty(user_id: int) -> None:
    """Take everything out of the basket of a user."""
    db.session.execute(sa.update(Basket).where(Basket.user_id == user_id).values(items=0))
    record("shop.emptied", "user", user_id)
