"""`/userapi/auth/activity/`: what happened to the caller's own account."""

from typing import Any

from flask import Response

from userapi.core.problems import ValidationFailed
from userapi.http import pagination
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response

from . import account_data
from .activity_schemas import ActivityPageSchema, ActivityQuerySchema
from .caller import get_caller

blueprint = Blueprint("activity", __name__, description="Activity of your account.")


@blueprint.get("/activity/")
@blueprint.jwt_required()
@blueprint.arguments(ActivityQuerySchema, location="query")
@blueprint.response(200, ActivityPageSchema)
@blueprint.raises(ValidationFailed)
def list_activity(query: dict[str, Any]) -> Response:
    """List the security events of your account, newest first."""
    found, following = account_data.list_activity(get_caller().user.id, query["limit"], query.get("cursor"))
    return json_response({"next": pagination.build_page_url(following), "results": found})
