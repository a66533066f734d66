"""What the shop adds to the acts of the service."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from marshmallow import ValidationError

from userapi.extending import Event, Problem, db

from . import baskets
from .models import Basket, Order

RIVAL = "@rival.example"


class NoRivals(Problem):
    """People of another shop may not register."""

    status = 403
    code = "no_rivals"
    title = "Not for rivals"
    detail = "Please use another email address."


def deny_rivals(user: Any, changes: Mapping[str, Any], by: Any) -> None:
    """Deny registrations of those who work for another shop."""
    if user.email.endswith(RIVAL):
        raise NoRivals(errors={"email": ["We do not accept addresses of this shop."]})


def check_vat_id(value: str) -> None:
    """Accept VAT IDs that begin with the code of a country."""
    if not (value[:2].isalpha() and value[:2].isupper()):
        raise ValidationError("A VAT ID begins with a country code, such as DE.")


def open_basket(event: Event) -> None:
    """Give each new user a basket, in the transaction that creates the user."""
    db.session.add(Basket(user_id=event.user_id, items=0))


def forget_orders(event: Event) -> None:
    """Forget the orders of a deleted user; a worker does it, perhaps twice."""
    db.session.execute(sa.delete(Order).where(Order.customer == event.user_id))


def make_claims(user: Any) -> dict[str, Any]:
    """Tell other services how full the basket is."""
    basket = baskets.find(user.id)
    return {"basket": basket.items if basket else 0}


def read_personal_data(user_id: int) -> dict[str, Any]:
    """What the shop stores about a user."""
    basket = baskets.find(user_id)
    orders = db.session.scalars(sa.select(Order.items).where(Order.customer == user_id))
    return {"items": basket.items if basket else 0, "orders": list(orders)}
