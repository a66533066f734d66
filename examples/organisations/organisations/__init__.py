"""Organisations: users are members with a role, and invite others by email. An extension of userapi."""

from pathlib import Path

from userapi.extending import Extension, PermissionKind, Rule, inside

from . import api, claims, leaving, models, pages, personal_data, staff
from .texts import ORGANISATIONS

HERE = Path(__file__).parent

extension = Extension(
    "organisations",
    blueprints=[(api.blueprint, "/userapi/organisations"), (pages.blueprint, "/organisations")],
    rules=[Rule("user.delete", leaving.keep_an_owner)],
    subscribers=[inside("user.deleted", leaving.remove_user)],
    claims=claims.make_claims,
    personal_data=personal_data.collect,
    staff=[staff.OrganisationView],
    templates=HERE / "templates",
    permissions=[PermissionKind("organisation", ORGANISATIONS, actions=("view", "delete"))],
    models=models.Base,
    migrations=HERE / "migrations",
)
