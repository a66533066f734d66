"""`/userapi/service-accounts/`: the accounts of programs, which superusers administer."""

import uuid
from datetime import timedelta
from typing import Any

from flask import Response

from userapi.core.db import db
from userapi.core.problems import NotFound, ProofNeeded, ValidationFailed
from userapi.http.openapi import Blueprint
from userapi.http.responses import Document, json_response
from userapi.users import service_accounts
from userapi.users.service_accounts import NameTaken
from userapi.users.site_urls import service_accounts_url

from . import api_keys
from .api_key_responses import read_new, respond_created, respond_keys
from .api_key_schemas import ApiKeysSchema, CreatedApiKeySchema, NewApiKeySchema, RotationSchema
from .api_keys import OF_OPERATOR, ApiKeysOff, TooManyKeys
from .caller import get_caller
from .service_account_schemas import NewServiceAccountSchema, ServiceAccountSchema, ServiceAccountsSchema

blueprint = Blueprint("service_accounts", __name__, description="Accounts of programs, which use API keys.")

#: The operations that take the id of a service account.
OF_AN_ACCOUNT = (
    "read_service_account", "delete_service_account", "list_keys_of_service_account", "create_key_of_service_account",
)  # fmt: skip


@blueprint.get("/service-accounts/")
@blueprint.superusers_only
@blueprint.response(200, ServiceAccountsSchema)
@blueprint.leads_to(200, *OF_AN_ACCOUNT, parameters={"user_id": "$response.body#/results/0/id"})
def list_service_accounts() -> Response:
    """List all service accounts by name."""
    return json_response({"results": [_to_document(row) for row in service_accounts.list_accounts()]})


@blueprint.post("/service-accounts/")
@blueprint.superusers_only
@blueprint.fresh
@blueprint.arguments(NewServiceAccountSchema)
@blueprint.response(201, ServiceAccountSchema)
@blueprint.leads_to(201, *OF_AN_ACCOUNT, parameters={"user_id": "$response.body#/id"})
@blueprint.raises(ValidationFailed, NameTaken, ProofNeeded)
def create_service_account(sent: dict[str, Any]) -> Response:
    """Create a service account."""
    user = service_accounts.create(sent["name"], by=get_caller().actor)
    document = _to_document(user)
    db.session.commit()
    return json_response(document, 201, {"Location": document["url"]})


@blueprint.get("/service-accounts/<row_id:user_id>/")
@blueprint.superusers_only
@blueprint.response(200, ServiceAccountSchema)
@blueprint.raises(NotFound)
def read_service_account(user_id: int) -> Response:
    """Read a service account."""
    return json_response(_to_document(service_accounts.read(user_id)))


@blueprint.delete("/service-accounts/<row_id:user_id>/")
@blueprint.superusers_only
@blueprint.fresh
@blueprint.response(204)
@blueprint.raises(NotFound, ProofNeeded)
def delete_service_account(user_id: int) -> Response:
    """Delete a service account. Its API keys stop working immediately."""
    service_accounts.delete(user_id, by=get_caller().actor)
    db.session.commit()
    return Response(status=204)


@blueprint.get("/service-accounts/<row_id:user_id>/keys/")
@blueprint.superusers_only
@blueprint.response(200, ApiKeysSchema)
@blueprint.leads_to(
    200,
    "revoke_key_of_service_account",
    parameters={"user_id": "$request.path.user_id", "key_id": "$response.body#/results/0/id"},
)
@blueprint.raises(NotFound)
def list_keys_of_service_account(user_id: int) -> Response:
    """List the API keys of a service account, the newest first, without those that have ended."""
    return respond_keys(service_accounts.read(user_id).id)


@blueprint.post("/service-accounts/<row_id:user_id>/keys/")
@blueprint.superusers_only
@blueprint.fresh
@blueprint.arguments(NewApiKeySchema)
@blueprint.response(201, CreatedApiKeySchema)
@blueprint.leads_to(
    201,
    "revoke_key_of_service_account",
    parameters={"user_id": "$request.path.user_id", "key_id": "$response.body#/id"},
)
@blueprint.raises(ValidationFailed, NotFound, ApiKeysOff, TooManyKeys)
def create_key_of_service_account(new: dict[str, Any], user_id: int) -> Response:
    """Create an API key of a service account. The response has the key, which is never shown again."""
    user = service_accounts.lock(user_id, by=get_caller().actor)
    response = respond_created(api_keys.create_key(user, amr=OF_OPERATOR, **read_new(new)))
    db.session.commit()
    return response


@blueprint.post("/service-accounts/<row_id:user_id>/keys/<uuid:key_id>/rotate/")
@blueprint.superusers_only
@blueprint.fresh
@blueprint.arguments(RotationSchema)
@blueprint.response(201, CreatedApiKeySchema)
@blueprint.raises(ValidationFailed, NotFound, ApiKeysOff, TooManyKeys)
def rotate_key_of_service_account(rotation: dict[str, int], user_id: int, key_id: uuid.UUID) -> Response:
    """Replace an API key of a service account by a new one. The replaced one stays valid for the overlap."""
    user = service_accounts.lock(user_id, by=get_caller().actor)
    overlap = timedelta(seconds=rotation["overlap"])
    response = respond_created(api_keys.rotate_key(key_id, user, amr=OF_OPERATOR, overlap=overlap))
    db.session.commit()
    return response


@blueprint.delete("/service-accounts/<row_id:user_id>/keys/<uuid:key_id>/")
@blueprint.superusers_only
@blueprint.response(204)
@blueprint.raises(NotFound)
def revoke_key_of_service_account(user_id: int, key_id: uuid.UUID) -> Response:
    """Revoke an API key of a service account. It stops working immediately."""
    api_keys.revoke_key(key_id, service_accounts.lock(user_id, by=get_caller().actor).id)
    db.session.commit()
    return Response(status=204)


def _to_document(account: Any) -> Document:
    return {
        "url": f"{service_accounts_url()}{account.id}/",
        "id": account.id,
        "name": service_accounts.name_of(account),
        "email": account.email,
        "is_active": account.is_active,
        "is_staff": account.is_staff,
        "created_at": account.date_joined,
    }
