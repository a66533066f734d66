"""The schemas of API keys."""

from typing import Any, ClassVar

from flask_babel import gettext as _
from marshmallow import Schema, ValidationError, fields, validates_schema

from userapi.core.scopes import Scope
from userapi.http.fields import Name, Timestamp, choice_check, length_check, range_check

from .api_key_networks import parse_network
from .schemas import EXAMPLE_JWT

#: The maximum number of IP networks that a key can be restricted to.
MAX_NETWORKS = 20

MAX_NAME_LENGTH = 100

#: No `API_KEY_MAX_LIFETIME` is longer, in seconds.
MAX_LIFETIME = 3660 * 86400

#: How long a replaced key stays valid, in seconds.
DEFAULT_OVERLAP = 86400
MAX_OVERLAP = 604800

EXAMPLE_ID = "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35"


def _check_network(text: str) -> None:
    try:
        parse_network(text)
    except ValueError as error:
        raise ValidationError(_("Enter an IP address or an IP network such as 192.0.2.0/24.")) from error


def _check_each_once(values: list[str]) -> None:
    if len(set(values)) < len(values):
        raise ValidationError(_("Enter each value once."))


class NewApiKeySchema(Schema):
    """A new API key."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "Nightly report", "scopes": ["users"], "expires_in": 2592000}

    name = Name(
        MAX_NAME_LENGTH,
        1,
        required=True,
        metadata={"description": "What you recognize the key by, such as the program that uses it."},
    )
    scopes = fields.List(
        fields.String(validate=choice_check([scope.value for scope in Scope])),
        required=True,
        validate=[length_check(1, len(Scope)), _check_each_once],
        metadata={"description": "What the key can be used for. It can never do more than you."},
    )
    expires_in = fields.Integer(
        validate=range_check(1, MAX_LIFETIME),
        metadata={"description": "The seconds until the key expires; 90 days by default."},
    )
    expires_at = fields.AwareDateTime(
        format="iso", metadata={"description": "When the key expires, instead of `expires_in`."}
    )
    addresses = fields.List(
        fields.String(validate=[length_check(1, 50), _check_network]),
        validate=[length_check(maximum=MAX_NETWORKS), _check_each_once],
        metadata={
            "description": "The IP addresses or networks that the key can be used from, such as `192.0.2.0/24`; "
            "from everywhere without one."
        },
    )

    @validates_schema(skip_on_field_errors=False)
    def _one_end(self, data: dict[str, Any], **_options: Any) -> None:
        if "expires_in" in data and "expires_at" in data:
            raise ValidationError(_("Send either expires_in or expires_at."), "expires_in")


class Networks(fields.Field[list[str]]):
    """IP addresses and networks of a form, separated by spaces, commas or lines."""

    def _deserialize(self, value: Any, *_arguments: Any, **_options: Any) -> list[str]:
        networks = list(dict.fromkeys(str(value).replace(",", " ").split()))
        if len(networks) > MAX_NETWORKS:
            raise ValidationError(_("Enter at most %(most)s IP addresses or networks.", most=MAX_NETWORKS))
        for network in networks:
            try:
                parse_network(network)
            except ValueError as error:
                raise ValidationError(_("Enter IP addresses, or IP networks such as 192.0.2.0/24.")) from error
        return networks


class NewKeyFormSchema(Schema):
    """What forms that create an API key have in common: as in the API, but with inputs that a browser has."""

    name = Name(MAX_NAME_LENGTH, 1, trim=True, required=True)
    days = fields.Integer(required=True, validate=range_check(1, MAX_LIFETIME // 86400))
    addresses = Networks(load_default=list)


class RotationSchema(Schema):
    """How an API key is replaced."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"overlap": 86400}

    overlap = fields.Integer(
        load_default=DEFAULT_OVERLAP,
        validate=range_check(0, MAX_OVERLAP),
        metadata={"description": "The seconds that the replaced key stays valid."},
    )


class ApiKeySchema(Schema):
    """An API key, without the key itself."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": EXAMPLE_ID,
        "name": "Nightly report",
        "last4": "x7Qd",
        "scopes": ["users"],
        "addresses": [],
        "created_at": "2026-11-29T08:05:12.482913Z",
        "expires_at": "2026-12-29T08:05:12.482913Z",
        "last_used_at": None,
        "last_address": None,
        "replaced_by": None,
    }

    id = fields.UUID(required=True, metadata={"description": "The id of the key, as events name it."})
    name = fields.String(required=True, metadata={"description": "What its user calls the key."})
    last4 = fields.String(required=True, metadata={"description": "The last characters of the key."})
    scopes = fields.List(fields.String(), required=True, metadata={"description": "What the key can be used for."})
    addresses = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The IP networks that the key can be used from; from everywhere without one."},
    )
    created_at = Timestamp(required=True, metadata={"description": "When the key was created."})
    expires_at = Timestamp(required=True, metadata={"description": "When the key expires."})
    last_used_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "When the key was last used, to the hour."}
    )
    last_address = fields.String(
        required=True, allow_none=True, metadata={"description": "The IP address of that use."}
    )
    replaced_by = fields.UUID(
        required=True, allow_none=True, metadata={"description": "The id of the key that rotation has replaced it by."}
    )


class KeyTokenSchema(Schema):
    """What an API key is exchanged for."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "access_token": EXAMPLE_JWT,
        "token_type": "Bearer",
        "expires_in": 900,
        "scope": "users",
        "client_id": EXAMPLE_ID,
    }

    access_token = fields.String(required=True)
    token_type = fields.String(required=True, metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds until the access token expires."})
    scope = fields.String(
        required=True, metadata={"description": "The scopes of the key, separated by spaces; a claim of the token."}
    )
    client_id = fields.UUID(required=True, metadata={"description": "The id of the key; a claim of the token."})


class ApiKeysSchema(Schema):
    """The API keys of the caller."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"results": [ApiKeySchema.EXAMPLE]}

    results = fields.List(fields.Nested(ApiKeySchema), required=True)


class CreatedApiKeySchema(ApiKeySchema):
    """A new API key with the key itself, which is never shown again."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        **ApiKeySchema.EXAMPLE,
        "key": "userapi_key_0vYkq3sT8dL2mXbZ7fWcR5nHj1GpA9uQe4KiVo6Yx7Qd00",
    }

    key = fields.String(
        required=True, metadata={"description": "The key: `Authorization: Bearer <key>`. It is shown this once."}
    )
