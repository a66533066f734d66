"""The operations of the shop in the API."""

from typing import Any

from marshmallow import Schema, fields, validate

from userapi.extending import Blueprint, current_user, db

from . import baskets

blueprint = Blueprint("shop", __name__, description="The baskets of users.")


class ItemsSchema(Schema):
    """Items to put into a basket."""

    EXAMPLE = {"items": 2}

    items = fields.Integer(required=True, validate=validate.Range(1, 100), metadata={"description": "Their number."})


class BasketSchema(Schema):
    """A basket."""

    EXAMPLE = {"items": 2}

    items = fields.Integer(metadata={"description": "The number of items."})


@blueprint.get("/basket/")
@blueprint.response(200, BasketSchema)
def read_basket() -> dict[str, Any]:
    """Read your own basket."""
    basket = baskets.find(current_user().id)
    return {"items": basket.items if basket else 0}


@blueprint.post("/basket/")
@blueprint.arguments(ItemsSchema)
@blueprint.response(200, BasketSchema)
@blueprint.raises(baskets.BasketFull)
def fill_basket(sent: dict[str, Any]) -> dict[str, Any]:
    """Put items into your own basket."""
    basket = baskets.add(current_user().id, sent["items"])
    db.session.commit()
    return {"items": basket.items}


@blueprint.post("/orders/")
@blueprint.response(201, BasketSchema)
def buy_basket() -> tuple[dict[str, Any], int]:
    """Buy what is in your own basket."""
    order = baskets.buy(current_user().id)
    db.session.commit()
    return {"items": order.items}, 201


@blueprint.get("/baskets/<row_id:user_id>/")
@blueprint.requires("view_basket")
@blueprint.response(200, BasketSchema)
def read_basket_of_user(user_id: int) -> dict[str, Any]:
    """Read the basket of a user."""
    basket = baskets.find(user_id)
    return {"items": basket.items if basket else 0}
