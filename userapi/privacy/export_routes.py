"""`/userapi/auth/user/export/`: the export of the caller's own data."""

from flask import Response

from userapi.auth.caller import get_caller
from userapi.core.db import expect_writes
from userapi.http.openapi import Blueprint

from . import own_export
from .export_schemas import OwnDataSchema

blueprint = Blueprint("own_data", __name__, description="The data of your account.")


@blueprint.get("/user/export/")
@blueprint.jwt_required()
@blueprint.open_to_incomplete
@blueprint.fresh
@blueprint.response(200, OwnDataSchema)
def export_own_data() -> Response:
    """Export all data of your account."""
    expect_writes()
    return own_export.respond_with_export(get_caller())


@blueprint.get("/data/")
@blueprint.jwt_required()
@blueprint.open_to_incomplete
@blueprint.fresh
@blueprint.response(200, OwnDataSchema)
@blueprint.doc(deprecated=True)
def export_account_data() -> Response:
    """Export all data of your account: the earlier path of the same operation."""
    expect_writes()
    return own_export.respond_with_export(get_caller())
