"""Baskets for the users of the service: an extension with every extension point."""

from pathlib import Path

from userapi.extending import Extension, PermissionKind, Rule, after, inside, profile_field

from . import api, commands, hooks, models, pages, staff
from .texts import BASKETS

HERE = Path(__file__).parent

extension = Extension(
    "shop",
    fields=[profile_field("vat_id", "line", max=14, label="VAT ID", check=hooks.check_vat_id)],
    rules=[Rule("user.create", hooks.deny_rivals)],
    subscribers=[inside("user.created", hooks.open_basket), after("user.deleted", hooks.forget_orders)],
    claims=hooks.make_claims,
    personal_data=hooks.read_personal_data,
    blueprints=[(api.blueprint, "/userapi/shop"), (pages.blueprint, "/shop")],
    staff=[staff.BasketView],
    templates=HERE / "templates",
    translations=HERE / "translations",
    commands=[commands.group],
    permissions=[PermissionKind("basket", BASKETS, actions=("view", "change"))],
    models=models.Base,
    migrations=HERE / "migrations",
)
