"""Which attributes of fields go together."""

import re
from collections.abc import Iterable

from userapi.users.field_definition import Field, Find, Kind, Reader, Required, Writer

from .kinds import KINDS
from .names import DeclarationError, quote

CLAIM = re.compile(r"(profile\.)?[a-z][a-z0-9_]{0,39}", re.ASCII)

#: Where the claims of fields stand that owners write, so that readers of a token see who vouches for a value.
SELF_ASSERTED = "profile."

#: Claims with another meaning.
RESERVED_CLAIMS = frozenset(
    {"iss", "sub", "aud", "exd", "exp", "iat", "nbf", "jti", "sid", "type", "scope", "org", "client_id", "amr", "acr"}
    | {"auth_time", "fresh", "csrf", "profile", "profile_complete"}
    | {"email", "username", "is_staff", "is_superuser", "groups"}
)


def check_rules(field: Field) -> None:
    """Check that the attributes of a field go together.

    Raises:
        DeclarationError: they do not.
    """
    for key, is_wrong, reason in _find_conflicts(field):
        if is_wrong:
            raise DeclarationError(f"profile.{field.name}: {key}: {reason}")


def _find_conflicts(field: Field) -> Iterable[tuple[str, bool, str]]:
    is_written_by_owner = field.writer in (Writer.OWNER, Writer.ONCE)
    yield "must_from", field.must_from is not None and field.required is not Required.MUST, 'Needs required = "must".'
    if not field.is_own:
        return
    kind = KINDS[field.kind]
    yield (
        "required",
        field.is_required and not is_written_by_owner,
        'Owners cannot write this field, so it cannot be required; see "write".',
    )
    yield (
        "required",
        field.required in (Required.ASK, Required.MUST) and field.writer is Writer.ONCE,
        'A field that is written once can only be required of new users: "new".',
    )
    yield (
        "read",
        field.reader is Reader.STAFF and is_written_by_owner,
        'Owners cannot write what they cannot read; set write to "staff" or "system".',
    )
    yield "find", field.find is not Find.NO and not kind.has_keys, "Texts of several lines cannot be filtered."
    yield (
        "find",
        field.find is Find.BEGINNING and not kind.has_beginnings,
        f'The type {kind.name} has no beginnings; use "exact".',
    )
    yield (
        "unique",
        field.is_unique and (not kind.has_keys or field.kind in (Kind.FLAG, Kind.CHOICES)),
        f"Values of the type {kind.name} cannot be unique.",
    )
    yield (
        "export",
        not field.is_in_own_export and field.reader is not Reader.STAFF,
        'Owners see this field, so they also get it with their data; set read to "staff".',
    )
    yield "list", field.is_listed and field.is_sensitive, "Sensitive fields are not in lists."
    yield "claim", bool(field.claim) and field.is_sensitive, "Sensitive fields are not in tokens."
    yield (
        "claim",
        bool(field.claim) and field.reader is Reader.STAFF,
        "Owners can read their tokens, but not this field.",
    )
    yield "claim", bool(field.claim) and not CLAIM.fullmatch(field.claim), "Must be a name such as profile.company."
    yield "claim", field.claim in RESERVED_CLAIMS, "This name is reserved. Choose another one."
    yield (
        "claim",
        bool(field.claim) and is_written_by_owner and not field.claim.startswith(SELF_ASSERTED),
        f"The owner writes this field, so the name must begin with {SELF_ASSERTED}",
    )


def check_claims(fields: Iterable[Field]) -> None:
    """Check that no two fields have the same claim.

    Raises:
        DeclarationError: two have.
    """
    owners: dict[str, str] = {}
    for field in fields:
        if field.claim and owners.setdefault(field.claim, field.name) != field.name:
            raise DeclarationError(
                f"profile.{field.name}: claim: {quote(field.claim)} is already that of profile.{owners[field.claim]}."
            )
