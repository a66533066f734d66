"""`/userapi/auth/keys/`: the caller's own API keys."""

import uuid
from datetime import timedelta
from typing import Any

from flask import Response

from userapi.core.db import db
from userapi.core.problems import NotFound, ValidationFailed
from userapi.http.openapi import Blueprint

from . import api_keys, proof
from .api_key_responses import read_new, respond_created, respond_keys
from .api_key_schemas import ApiKeysSchema, CreatedApiKeySchema, NewApiKeySchema, RotationSchema
from .api_keys import ApiKeysOff, TooManyKeys
from .caller import get_caller

blueprint = Blueprint("api_keys", __name__, description="API keys: credentials of your programs.")


@blueprint.get("/keys/")
@blueprint.jwt_required()
@blueprint.response(200, ApiKeysSchema)
@blueprint.leads_to(200, "revoke_api_key", parameters={"key_id": "$response.body#/results/0/id"})
def list_api_keys() -> Response:
    """List your API keys, the newest first, without those that have ended."""
    return respond_keys(get_caller().user.id)


@blueprint.post("/keys/")
@blueprint.jwt_required()
@blueprint.fresh
@blueprint.arguments(NewApiKeySchema)
@blueprint.response(201, CreatedApiKeySchema)
@blueprint.leads_to(201, "revoke_api_key", parameters={"key_id": "$response.body#/id"})
@blueprint.raises(ValidationFailed, ApiKeysOff, TooManyKeys)
def create_api_key(new: dict[str, Any]) -> Response:
    """Create an API key. The response has the key, which is never shown again."""
    caller = get_caller()
    created = api_keys.create_key(proof.lock_account(caller), amr=caller.user.amr, **read_new(new))
    response = respond_created(created)
    db.session.commit()
    return response


@blueprint.post("/keys/<uuid:key_id>/rotate/")
@blueprint.jwt_required()
@blueprint.fresh
@blueprint.arguments(RotationSchema)
@blueprint.response(201, CreatedApiKeySchema)
@blueprint.raises(ValidationFailed, ApiKeysOff, NotFound, TooManyKeys)
def rotate_api_key(rotation: dict[str, int], key_id: uuid.UUID) -> Response:
    """Replace one of your API keys by a new one, which is like it. The replaced one stays valid for the overlap."""
    caller = get_caller()
    overlap = timedelta(seconds=rotation["overlap"])
    created = api_keys.rotate_key(key_id, proof.lock_account(caller), amr=caller.user.amr, overlap=overlap)
    response = respond_created(created)
    db.session.commit()
    return response


@blueprint.delete("/keys/<uuid:key_id>/")
@blueprint.jwt_required()
@blueprint.response(204)
@blueprint.raises(NotFound)
def revoke_api_key(key_id: uuid.UUID) -> Response:
    """Revoke one of your API keys. It stops working immediately."""
    api_keys.revoke_key(key_id, get_caller().user.id)
    db.session.commit()
    return Response(status=204)
