"""`/userapi/auth/activity/` and `data/`: what is stored about the caller's own account."""

from typing import Any

from flask import Response

from userapi.audit import activity
from userapi.core.db import db
from userapi.core.problems import ValidationFailed
from userapi.http import pagination
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response

from . import account_data
from .activity_schemas import AccountDataSchema, ActivityPageSchema, ActivityQuerySchema
from .caller import get_caller

blueprint = Blueprint("activity", __name__, description="Activity and data of your account.")


@blueprint.get("/activity/")
@blueprint.jwt_required()
@blueprint.arguments(ActivityQuerySchema, location="query")
@blueprint.response(200, ActivityPageSchema)
@blueprint.raises(ValidationFailed)
def list_activity(query: dict[str, Any]) -> Response:
    """List the security events of your account, newest first."""
    found, following = activity.list_activity(get_caller().user.id, query["limit"], query.get("cursor"))
    return json_response({"next": pagination.build_page_url(following), "results": found})


@blueprint.get("/data/")
@blueprint.jwt_required()
@blueprint.fresh
@blueprint.response(200, AccountDataSchema)
def export_account_data() -> Response:
    """Export all data of your account."""
    document = account_data.export_account_data(get_caller())
    db.session.commit()
    return json_response(document)
