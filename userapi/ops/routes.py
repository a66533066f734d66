"""`/healthz`, `/readyz` and `/metrics` for monitors, `/userapi/` for newcomers."""

from flask import Blueprint as PlainBlueprint
from flask import Response

from userapi.auth.problems import InvalidToken
from userapi.core.problems import NotAcceptable
from userapi.health import checks
from userapi.http.endpoint_index import INDEX_SCHEMA, list_endpoints_below
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response

from . import measures

blueprint = PlainBlueprint("ops", __name__)
index_blueprint = Blueprint("index", __name__, description="Lists of endpoints.")


@index_blueprint.get("/userapi/")
@index_blueprint.open_to_all
@index_blueprint.scope()
@index_blueprint.response(200, INDEX_SCHEMA, example={"users": "https://accounts.example.com/userapi/users/"})
@index_blueprint.raises(InvalidToken, NotAcceptable)
def read_index() -> Response:
    """List the API endpoints."""
    return json_response(list_endpoints_below("/userapi/", depth=1))


@blueprint.get("/healthz")
def read_liveness() -> Response:
    """Show that the process responds; checks nothing else."""
    return json_response({"status": "ok"})


@blueprint.get("/readyz")
def read_readiness() -> Response:
    """The state of each part; 503 if the service cannot work."""
    found = checks.run()
    ready = checks.is_ready(found)
    headers = None if ready else {"Retry-After": "5"}
    states = {finding.part: finding.state for finding in found}
    return json_response({"status": "ok" if ready else "unavailable", "checks": states}, 200 if ready else 503, headers)


@blueprint.get("/metrics")
def read_metrics() -> Response:
    """The metrics for Prometheus."""
    measures.require_access()
    return Response(measures.as_text(), content_type=measures.MEDIA_TYPE)
