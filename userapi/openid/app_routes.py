"""`/userapi/auth/apps/`: the applications that have access to the caller's account."""

from flask import Response

from userapi.auth.caller import get_caller
from userapi.core.db import db
from userapi.core.problems import NotFound
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response

from . import apps
from .schemas import ClientAppsSchema

blueprint = Blueprint("apps", __name__, description="Applications that you have signed in to with your account.")


@blueprint.get("/apps/")
@blueprint.jwt_required()
@blueprint.response(200, ClientAppsSchema)
@blueprint.leads_to(200, "withdraw_app", parameters={"client_id": "$response.body#/results/0/client_id"})
def list_apps() -> Response:
    """List the applications with access to your account, by name."""
    return json_response({"results": apps.list_apps(get_caller().user.id)})


@blueprint.delete("/apps/<string:client_id>/")
@blueprint.jwt_required()
@blueprint.response(204)
@blueprint.raises(NotFound)
def withdraw_app(client_id: str) -> Response:
    """End the access of an application to your account. Next time, it needs your consent again."""
    apps.withdraw(get_caller().user.id, client_id)
    db.session.commit()
    return Response(status=204)
