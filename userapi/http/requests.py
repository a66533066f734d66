"""The start and end of every request: its id, its line in the log and its metrics."""

import random
import re
import time
from functools import partial

from flask import Flask, Response

from userapi.core import context
from userapi.observability import logs, metrics
from userapi.observability.metrics import Metrics

#: The endings of the routes of static files, which are logged only if not found.
STATIC_FILE_SUFFIX = "/<path:filename>"

REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


def configure(app: Flask) -> None:
    """Register the functions that run before and after every request."""
    app.before_request(_start_request)
    app.after_request(partial(_finish_request, metrics.get_metrics(app)))


def _start_request() -> None:
    g = context.current_g()
    g.started = time.perf_counter()
    offered = context.current_request().environ.get("HTTP_X_REQUEST_ID")
    if offered is not None and REQUEST_ID_PATTERN.fullmatch(offered):
        g.request_id = offered
    else:
        g.request_id = f"{random.getrandbits(128):032x}"  # an id, not a secret, so no system call is needed


def _finish_request(metrics: Metrics, response: Response) -> Response:
    request, g = context.current_request(), context.current_g()
    seconds = time.perf_counter() - g.started
    route = request.url_rule.rule if request.url_rule else None
    if response.status_code >= 400 or not (route and route.endswith(STATIC_FILE_SUFFIX)):
        impersonator_id = g.get("impersonator_id")
        logs.log_hot_event(
            "userapi.access",
            "request",
            method=request.method[:20],
            route=route,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 2),
            actor=g.get("actor_id"),
            address=request.remote_addr,
            **({} if impersonator_id is None else {"impersonator": impersonator_id}),
        )
    metrics.duration(request.method, route, response.status_code).observe(seconds)
    return response
