"""Which fields the profiles of an application have: the built-in ones, or those that the deployer declared.

The declaration belongs to the application, because two applications in one process may have different ones. Code that
runs before there is an application can only know `fields.PROFILE_FIELDS`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import Flask
from marshmallow import INCLUDE, RAISE, Schema, ValidationError, fields

from userapi.core import clock, context
from userapi.http import bodies
from userapi.http.examples import VariableExample

from .field_definition import Field, Find, Kind, Reader, Required, Writer
from .field_types import AnyField, input_field, output_field
from .fields import PROFILE, PROFILE_FIELDS, is_same

#: The declaration of an application, in its `extensions`.
EXTENSION = "userapi-profile-fields"

#: The locked user whom this request edits, in `g`.
EDITED_USER = "edited_user"


@dataclass(frozen=True, eq=False)
class Declaration:
    """The fields of profiles.

    Attributes:
        fields: built-in and own ones, in the order of the API, forms and files.
        has_hidden_fields: whether profiles have further fields, which are not described to everyone.
    """

    fields: tuple[Field, ...]
    has_hidden_fields: bool = False

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The fields by name."""
        return {field.name: field for field in self.fields}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(self.by_name)

    @cached_property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Each field with the column of `queries.document_columns` that has its value, or "" for an own field."""
        return tuple((field.name, "" if field.is_own else f"profile_{field.name}") for field in self.fields)

    @cached_property
    def labels(self) -> dict[str, Any]:
        """The labels by the names of inputs, such as `profile.city`."""
        return {f"profile.{field.name}": field.label or field.name for field in self.fields}

    @cached_property
    def own(self) -> tuple[Field, ...]:
        """The fields whose values are in `user_profiles.extra`."""
        return tuple(field for field in self.fields if field.is_own)

    @cached_property
    def keyed(self) -> dict[str, Field]:
        """The own fields whose values have search keys, by name."""
        return {field.name: field for field in self.own if field.is_keyed}

    @cached_property
    def searchable(self) -> tuple[Field, ...]:
        """The own fields by which lists can be filtered."""
        return tuple(field for field in self.own if field.find is not Find.NO)

    @cached_property
    def filters(self) -> dict[str, AnyField]:
        """The query parameters of a list that filter by own fields."""
        if not self.searchable:
            return {}
        # Filters need modules that an application without own fields does not.
        from . import filter_parameters

        return filter_parameters.make_parameters(self.searchable)

    @cached_property
    def is_default(self) -> bool:
        """Whether these are the built-in fields as they are without a declaration."""
        return self.fields == PROFILE_FIELDS

    @cached_property
    def claims(self) -> dict[str, Field]:
        """The fields that access tokens can contain, by the name of the claim."""
        return {field.claim: field for field in self.fields if field.claim}

    @cached_property
    def staff_only(self) -> frozenset[str]:
        """The names of the fields that only staff see."""
        return frozenset(field.name for field in self.fields if field.reader is Reader.STAFF)

    @cached_property
    def of_lists(self) -> "Declaration":
        """The fields that lists of users have."""
        if not any(field.is_sensitive for field in self.fields):
            return self
        return Declaration(tuple(field for field in self.fields if not field.is_sensitive))

    @cached_property
    def of_owners(self) -> "Declaration":
        """The fields that owners see."""
        if not self.staff_only:
            return self
        return Declaration(
            tuple(field for field in self.fields if field.reader is Reader.OWNER), has_hidden_fields=True
        )

    def shows_owners(self, name: str) -> bool:
        """Whether owners see that a field, such as `profile.city`, was changed.

        They do not if its name is unknown: it may be that of a field that was only for staff and was removed.
        """
        prefix, _, field = name.partition(".")
        return prefix != "profile" or field in PROFILE or field in self.of_owners.by_name

    @cached_property
    def has_prompts(self) -> bool:
        """Whether users without a value are prompted for one."""
        return any(field.required in (Required.ASK, Required.MUST) for field in self.fields)

    @cached_property
    def needed_at_first(self) -> tuple[str, ...]:
        """The names of the fields that the owner of a new profile must fill in."""
        return tuple(
            field.name for field in self.fields if field.is_required and field.writer in (Writer.OWNER, Writer.ONCE)
        )

    @cached_property
    def prompted(self) -> tuple[Field, ...]:
        """The fields that owners are prompted for while they have no value."""
        return tuple(
            field
            for field in self.fields
            if field.required in (Required.ASK, Required.MUST) and field.writer is Writer.OWNER
        )

    @cached_property
    def has_mandatory(self) -> bool:
        """Whether there are fields without which their owners may do nothing else, today or from some day on."""
        return any(field.required is Required.MUST for field in self.prompted)

    def mandatory(self) -> tuple[Field, ...]:
        """The fields without which their owners may do nothing else, today."""
        today = clock.today()
        return tuple(
            field
            for field in self.prompted
            if field.required is Required.MUST and (field.must_from is None or field.must_from <= today)
        )

    @cached_property
    def new_profile(self) -> Schema:
        """What clients send of a whole profile."""
        return _make("NewProfileSchema", "A profile with every field that it needs.", {
            field.name: _input_field(field, is_required=field.is_required and field.writer is Writer.OWNER)
            for field in self.fields
        })  # fmt: skip

    @cached_property
    def profile_edit(self) -> Schema:
        """What clients send of some fields of a profile."""
        return _make("ProfileEditSchema", "Some fields of a profile.", {
            field.name: _input_field(field) for field in self.fields
        })  # fmt: skip

    @cached_property
    def profile_form(self) -> Schema:
        """What the forms of owners send of some fields of a profile: required ones need a value."""
        return _make("ProfileFormSchema", "Some fields of a profile.", {
            field.name: _input_field(field, needs_value=field.is_required) for field in self.fields
        })  # fmt: skip

    @cached_property
    def profile(self) -> Schema:
        """A profile as the API returns it."""
        options: dict[str, Any] = {} if self.is_default else {"allow_none": True}
        shown = {field.name: output_field(field, required=not field.is_sensitive, **options) for field in self.fields}
        text = "A profile as the API returns it."
        if self.has_hidden_fields:
            return _make("ProfileSchema", f"{text} Staff get further fields.", shown, unknown=INCLUDE)
        return _make("ProfileSchema", text, shown)

    @cached_property
    def example(self) -> dict[str, Any]:
        """A profile as its owner sees it, as JSON has it."""
        return {field.name: field.example for field in self.fields if field.reader is Reader.OWNER}

    @cached_property
    def new_example(self) -> dict[str, Any]:
        """The same, with the fields that a new user sends."""
        new_users = (Writer.OWNER, Writer.ONCE)
        return {name: value for name, value in self.example.items() if self.by_name[name].writer in new_users}


#: The declaration of an application whose deployer declared nothing.
BUILT_IN = Declaration(PROFILE_FIELDS)


def configure(app: Flask, extra_fields: Sequence[Field] = ()) -> None:
    """Read the declaration of an application.

    Args:
        app: the application.
        extra_fields: own fields that extensions add.

    Raises:
        ConfigurationError: the file of the setting `PROFILE_FIELDS` is missing or wrong, or a name is declared twice.
    """
    path = app.config["PROFILE_FIELDS"]
    app.extensions[EXTENSION] = BUILT_IN
    if path or extra_fields:
        # Reading a declaration needs modules that an application without one does not.
        from .own_fields import history, reading

        declared = Declaration(reading.read_fields(path, extra_fields))
        app.extensions[EXTENSION] = declared
        bodies.allow_repeated_names(
            app, (f"profile.{field.name}" for field in declared.fields if field.kind is Kind.CHOICES)
        )
        history.record_while_serving(app, declared.fields)


def get_declaration() -> Declaration:
    """The declaration of the current application."""
    found: Declaration = context.current_application().extensions[EXTENSION]
    return found


def read_values(row: Any, fields: Iterable[Field]) -> dict[str, Any]:
    """The values of fields of a profile by name; all of them are None without a profile.

    Args:
        row: begins with `queries.document_columns()`.
        fields: of the profile.
    """
    own = row.profile_extra or {}
    return {
        field.name: own.get(field.name) if field.is_own else getattr(row, f"profile_{field.name}") for field in fields
    }


#: A profile in the examples of the API document: as the API returns it, and as a new user sends it.
EXAMPLE_PROFILE = VariableExample(lambda: get_declaration().example)
EXAMPLE_NEW_PROFILE = VariableExample(lambda: get_declaration().new_example)


class DeclaredProfile(fields.Nested):
    """A profile in a schema, which has the fields that the current application declares.

    Args:
        shape: the attribute of `Declaration` with the schema.
        options: for the marshmallow field.
    """

    def __init__(self, shape: str, **options: Any) -> None:
        super().__init__(Schema, **options)
        self.shape = shape

    @property
    def schema(self) -> Schema:
        """The schema of the current application, without the fields that the caller cannot know of.

        The API document, which is public, has none of them.
        """
        declaration = get_declaration()
        if declaration.staff_only:
            actor = context.current_actor()
            if actor is None or not actor.is_staff:
                declaration = declaration.of_owners
        found: Schema = getattr(declaration, self.shape)
        return found

    def _load(self, value: Any, partial: Any = None) -> Any:
        """The valid values; in an edit, also values that the present rules forbid but that were sent unchanged."""
        try:
            return super()._load(value, partial=partial)
        except ValidationError as error:
            unchanged = self._unchanged(value, error.messages)
            others = {name: texts for name, texts in error.normalized_messages().items() if name not in unchanged}
            if others:
                raise ValidationError(others, valid_data=error.valid_data) from error
            return {**error.valid_data, **unchanged}  # type: ignore[dict-item]

    def _unchanged(self, sent: Any, invalid: Any) -> dict[str, Any]:
        """Invalid values that are stored already. A whole new profile may have those that its sender cannot change."""
        user = context.current_g().get(EDITED_USER)
        if user is None or user.profile is None or not isinstance(sent, Mapping):
            return {}
        is_edit, known = self.shape == "profile_edit", self.schema.fields
        by_name = get_declaration().by_name
        return {
            name: sent[name]
            for name in invalid
            if name in sent and name in known and (is_edit or by_name[name].writer is not Writer.OWNER)
            if is_same(sent[name], user.profile.value_of(name))
        }


SET_BY = {
    Writer.ONCE: {"description": "Can only be set at registration, or by staff.", "x-set-by": "registration"},
    Writer.STAFF: {"description": "Can only be set by staff.", "x-set-by": "staff"},
    Writer.SUPERUSER: {"description": "Can only be set by superusers.", "x-set-by": "superusers"},
    Writer.NO_ONE: {"description": "Read-only; can be sent unchanged.", "readOnly": True},
}


def _input_field(field: Field, *, is_required: bool = False, needs_value: bool = False) -> AnyField:
    """The marshmallow field that validates input.

    Args:
        field: of a profile.
        is_required: whether clients have to send a value.
        needs_value: whether those who may change the field have to send a value if they send the field.
    """
    options: dict[str, Any] = {"required": True} if is_required else {}
    is_demanded = is_required or (needs_value and field.writer is Writer.OWNER)
    if not is_demanded and (field.is_nullable or not field.is_required or field.writer is not Writer.OWNER):
        options["allow_none"] = True
    if field.writer in SET_BY:
        options["metadata"] = SET_BY[field.writer]
    return input_field(field, **options)


def _make(name: str, description: str, fields_by_name: dict[str, AnyField], unknown: str = RAISE) -> Schema:
    """A schema with these fields; the name and the description are those in the API document."""
    meta = type("Meta", (), {"unknown": unknown})
    made = type(name, (Schema,), {**fields_by_name, "Meta": meta, "__doc__": description, "__module__": __name__})
    schema: Schema = made()
    schema.__deepcopy__ = lambda _memo: schema  # type: ignore[attr-defined]
    return schema
