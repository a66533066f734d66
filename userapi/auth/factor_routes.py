"""`/userapi/auth/factors/` and `devices/`: the caller's second factors and remembered devices."""

import uuid
from typing import Any

from flask import Response
from flask_babel import gettext as _

from userapi.core.db import db
from userapi.core.problems import NotFound, ProofNeeded, ValidationFailed
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa import apps, qr_code, remembered_devices
from userapi.mfa.problems import (
    EmailUnverified,
    FactorRequired,
    FactorUnavailable,
    NoFactor,
    SecondStepLocked,
    TooManyFactors,
    WrongSetUpCode,
)
from userapi.security.throttling import TooManyRequests

from . import factor_changes
from .assurance import Proof
from .caller import get_caller
from .factor_json import describe_app, describe_factors
from .factor_responses import respond_to_new_factor
from .factor_schemas import (
    AddedAppSchema,
    AppSchema,
    CodeSchema,
    ConfirmedAppSchema,
    DevicesSchema,
    FactorNameSchema,
    FactorsSchema,
    NewAppSchema,
    RecoveryCodesSchema,
    RemovalQuerySchema,
    SecondStepSwitchSchema,
)

blueprint = Blueprint("factors", __name__, description="Second factors and remembered devices.")


@blueprint.get("/factors/")
@blueprint.jwt_required()
@blueprint.open_to_set_up
@blueprint.response(200, FactorsSchema)
@blueprint.leads_to(200, "rename_app", "remove_app", parameters={"app_id": "$response.body#/totp/0/id"})
def list_factors() -> Response:
    """List your second factors."""
    return json_response(describe_factors(get_caller()))


@blueprint.patch("/factors/")
@blueprint.jwt_required()
@blueprint.fresh
@blueprint.arguments(SecondStepSwitchSchema)
@blueprint.response(200, FactorsSchema)
@blueprint.raises(ValidationFailed, NoFactor, FactorRequired)
def set_second_step(change: dict[str, Any]) -> Response:
    """Turn the second step of your sign-ins on or off. On ends your other sessions, off forgets remembered devices."""
    caller = get_caller()
    factor_changes.set_second_step(caller, is_on=change["second_step"])
    db.session.commit()
    return json_response(describe_factors(caller))


@blueprint.post("/factors/totp/")
@blueprint.jwt_required()
@blueprint.open_to_set_up
@blueprint.fresh
@blueprint.arguments(NewAppSchema)
@blueprint.response(201, AddedAppSchema)
@blueprint.raises(ValidationFailed, EmailUnverified, TooManyFactors, FactorUnavailable)
@blueprint.leads_to(201, "confirm_app", parameters={"app_id": "$response.body#/id"})
def add_app(new: dict[str, Any]) -> Response:
    """Add an authenticator app. It counts once it is confirmed, within ten minutes and in the same session."""
    added = factor_changes.add_app(get_caller(), new["name"] or _("Authenticator app"))
    db.session.commit()
    qr = qr_code.draw_data_url(added.uri)
    return json_response({"id": added.id, "secret": added.secret, "uri": added.uri, "qr": qr}, 201)


@blueprint.post("/factors/totp/<uuid:app_id>/confirm/")
@blueprint.jwt_required()
@blueprint.open_to_set_up
@blueprint.arguments(CodeSchema)
@blueprint.response(201, ConfirmedAppSchema)
@blueprint.raises(ValidationFailed, WrongSetUpCode, NotFound, ProofNeeded, SecondStepLocked, TooManyRequests)
def confirm_app(sent: dict[str, str], app_id: uuid.UUID) -> Response:
    """Confirm an authenticator app with the code that it shows. With the first factor your other sessions end.

    A session that could only set up a second step gets new tokens, with which it can do everything.
    """
    caller = get_caller()
    added = factor_changes.confirm_app(caller, app_id, sent["code"])
    response = respond_to_new_factor(caller, added, describe_app(added.factor), Proof.CODE)
    db.session.commit()
    return response


@blueprint.patch("/factors/totp/<uuid:app_id>/")
@blueprint.jwt_required()
@blueprint.arguments(FactorNameSchema)
@blueprint.response(200, AppSchema)
@blueprint.raises(ValidationFailed, NotFound)
def rename_app(change: dict[str, str], app_id: uuid.UUID) -> Response:
    """Rename an authenticator app."""
    app = apps.rename_app(app_id, get_caller().user.id, change["name"])
    db.session.commit()
    return json_response(describe_app(app))


@blueprint.delete("/factors/totp/<uuid:app_id>/")
@blueprint.jwt_required()
@blueprint.fresh
@blueprint.arguments(RemovalQuerySchema, location="query")
@blueprint.response(204)
@blueprint.raises(ValidationFailed, NotFound, FactorRequired)
def remove_app(query: dict[str, Any], app_id: uuid.UUID) -> Response:
    """Remove an authenticator app. Your other sessions end, and remembered devices are forgotten."""
    factor_changes.remove_app(get_caller(), app_id, keep_sessions=query["keep_sessions"])
    db.session.commit()
    return Response(status=204)


@blueprint.post("/factors/recovery-codes/")
@blueprint.jwt_required()
@blueprint.fresh
@blueprint.response(201, RecoveryCodesSchema)
@blueprint.raises(NoFactor)
def replace_recovery_codes() -> Response:
    """Create new recovery codes. Earlier codes no longer work."""
    codes = factor_changes.replace_recovery_codes(get_caller())
    db.session.commit()
    return json_response({"codes": codes}, 201)


@blueprint.get("/devices/")
@blueprint.jwt_required()
@blueprint.response(200, DevicesSchema)
@blueprint.leads_to(200, "forget_device", parameters={"device_id": "$response.body#/results/0/id"})
def list_devices() -> Response:
    """List the devices on which you sign in without a second step, the last used first."""
    devices = remembered_devices.list_devices(get_caller().user.id)
    return json_response({"results": [dict(row._mapping) for row in devices]})


@blueprint.delete("/devices/")
@blueprint.jwt_required()
@blueprint.response(204)
def forget_devices() -> Response:
    """Forget all remembered devices."""
    remembered_devices.forget_all(get_caller().user.id)
    db.session.commit()
    return Response(status=204)


@blueprint.delete("/devices/<uuid:device_id>/")
@blueprint.jwt_required()
@blueprint.response(204)
@blueprint.raises(NotFound)
def forget_device(device_id: uuid.UUID) -> Response:
    """Forget a remembered device."""
    remembered_devices.forget(device_id, get_caller().user.id)
    db.session.commit()
    return Response(status=204)
