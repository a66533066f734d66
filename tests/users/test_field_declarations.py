"""A wrong declaration of profile fields stops the start with one line that names the field and the error."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.support import commands
from tests.support.own_fields import EVERY_KIND, VALUES
from userapi.core.environment import ConfigurationError
from userapi.users.field_types import input_field
from userapi.users.fields import PROFILE_FIELDS
from userapi.users.own_fields import toml_file, toml_writer

Declare = Callable[..., Flask]

WRONG = {
    '[profile."x);import os#"]\ntype = "line"': 'profile."x);import os#": A name has',
    '[profile.Company]\ntype = "line"': 'profile."Company": A name has',
    '[profile."a\\nb"]\ntype = "line"': 'profile."a\\nb": A name has',
    f'[profile.{"a" * 41}]\ntype = "line"': "A name has at most 40 characters",
    '[profile.class]\ntype = "line"': "profile.class: This name is reserved",
    '[profile.password]\ntype = "line"': "profile.password: This name is reserved",
    '[profile.email]\ntype = "line"': "profile.email: This name is reserved",
    '[profile.a]\ntype = "line"\n[profile.a]\ntype = "line"': "Cannot declare ('profile', 'a') twice",
    "\n".join(f'[profile.a{number}]\ntype = "line"' for number in range(51)): "There are 51 fields; the maximum is 50",
    "[profile.a]": "profile.a: type: Must be one of: line, text",
    '[profile.a]\ntype = "blob"': "profile.a: type: Must be one of: line, text",
    '[profile.a]\ntype = "line"\nmaximum = 5': "profile.a: maximum: Unknown",
    '[profile.a]\ntype = "line"\nmax = 4001': "profile.a: max: Must be a whole number from 1 to 4000",
    '[profile.a]\ntype = "line"\nmax = true': "profile.a: max: Must be a whole number",
    '[profile.a]\ntype = "integer"\nmax = 5': "profile.a: max: A field of the type integer has no maximum length",
    '[profile.a]\ntype = "line"\nunique = "yes"': "profile.a: unique: Must be true or false",
    '[profile.a]\ntype = "line"\nlabel = { de = 1 }': "profile.a: label: Must be one line",
    '[profile.a]\ntype = "line"\nlabel = "a\\nb"': "profile.a: label: Must be one line",
    '[profile.a]\ntype = "choice"': "profile.a: options: Must be a list",
    '[profile.a]\ntype = "line"\noptions = ["b"]': "profile.a: options: Only fields of the types choice",
    '[profile.a]\ntype = "choice"\noptions = ["b", "b"]': "profile.a: options: Must be different texts",
    '[profile.a]\ntype = "line"\nrequired = "must"\nmust_from = "2027"': "profile.a: must_from: Must be a date",
    '[profile.a]\ntype = "line"\nmust_from = 2027-03-01': 'profile.a: must_from: Needs required = "must"',
    '[profile.a]\ntype = "line"\nwrite = "staff"\nrequired = "new"': "profile.a: required: Owners cannot write",
    '[profile.a]\ntype = "line"\nread = "staff"': "profile.a: read: Owners cannot write what they cannot read",
    '[profile.a]\ntype = "text"\nfind = "exact"': "profile.a: find: Texts of several lines cannot be filtered",
    '[profile.a]\ntype = "date"\nfind = "beginning"': "profile.a: find: The type date has no beginnings",
    '[profile.a]\ntype = "flag"\nunique = true': "profile.a: unique: Values of the type flag cannot be unique",
    '[profile.a]\ntype = "line"\nlist = true\nsensitive = true': "profile.a: list: Sensitive fields",
    "[profile.title]\nmax = 51": "profile.title: max: Must be a whole number from 1 to 50",
    '[profile.dob]\ntype = "line"': 'profile.dob: type: This field is built in and is always "date"',
    "[profile.city]\nunique = true": "profile.city: unique: This field is built in",
    '[profiles.a]\ntype = "line"': '"profiles": Unknown',
    "": "There is no table [profile.NAME]",
    "[profile.a": "This is not TOML",
}


@pytest.mark.parametrize(("declaration", "error"), WRONG.items(), ids=list(WRONG.values()))
def test_W02_a_wrong_declaration_stops_the_start(declare: Declare, declaration: str, error: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        declare(declaration)

    assert str(caught.value).startswith("PROFILE_FIELDS: ")
    assert error in str(caught.value)
    assert "\n" not in str(caught.value)


def test_W02_a_hostile_declaration_is_one_line_of_the_command_and_is_not_evaluated(tmp_path: Path) -> None:
    file = tmp_path / "fields.toml"
    file.write_text(f"[profile.\"x);open('{tmp_path}/evaluated', 'w')#\"]\ntype = \"line\"\n")
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, PROFILE_FIELDS=str(file))

    done = commands.run(*commands.FLASK, "users", "list", env=env, cwd=tmp_path)

    assert done.is_one_line, done
    assert 'PROFILE_FIELDS: profile."x);open(' in done.errors
    assert not (tmp_path / "evaluated").exists()


def test_W02_a_file_that_cannot_be_read_stops_the_start(declare: Declare, tmp_path: Path) -> None:
    (tmp_path / "latin1.toml").write_bytes(b'[profile.a]\ntype = "line"\nlabel = "Stra\xdfe"')
    for file, error in (("absent.toml", "Cannot read"), ("latin1.toml", "is not UTF-8")):
        with pytest.raises(ConfigurationError, match=f"^PROFILE_FIELDS: .*{error}"):
            declare(EVERY_KIND, PROFILE_FIELDS=str(tmp_path / file))


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ('claim = "company"', "the name must begin with profile."),
        ('write = "once"\nclaim = "company"', "the name must begin with profile."),
        ('write = "staff"\nclaim = "sub"', "This name is reserved"),
        ('write = "staff"\nclaim = "client_id"', "This name is reserved"),
        ('write = "staff"\nclaim = "profile"', "This name is reserved"),
        ('write = "staff"\nclaim = "a b"', "Must be a name"),
        ('write = "staff"\nclaim = "tier"\nsensitive = true', "Sensitive fields are not in tokens"),
        ('write = "staff"\nclaim = "tier"\nread = "staff"', "Owners can read their tokens"),
        ('claim = "profile.b"\n[profile.b]\ntype = "line"\nclaim = "profile.b"', "is already that of profile.a"),
    ],
)
def test_W08_a_claim_says_who_wrote_the_field_and_has_no_reserved_name(
    declare: Declare, attributes: str, error: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        declare(f'[profile.a]\ntype = "line"\n{attributes}')

    assert ": claim: " in str(caught.value)
    assert error in str(caught.value)


def test_a_phone_field_without_its_library_says_what_to_install(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "phonenumbers", None)

    with pytest.raises(ConfigurationError, match=r'profile.a: type: .*pip install "userapi\[phone\]"'):
        declare('[profile.a]\ntype = "phone"')


@pytest.mark.parametrize(
    "declaration",
    [
        EVERY_KIND,
        '[profile.a]\ntype = "line"\nlabel = "Say \\"a\\\\b\\""\nhint = { de = "ß", pt-BR = "ã" }',
        '[profile.a]\ntype = "line"\nrequired = "must"\nmust_from = 2027-03-01\nautocomplete = "organization"',
        '[profile.a]\ntype = "phone"\nautocomplete = ""\nwrite = "staff"\nread = "staff"\nsensitive = true',
        '[profile.zip]\nmax = 10\nlabel = "ZIP"\nhint = "Five digits"\n[profile.dob]\nrequired = "ask"',
        "[profile]",
    ],
)
def test_a_written_declaration_declares_the_same_fields(declaration: str) -> None:
    fields = toml_file.parse(declaration)

    assert toml_file.parse(toml_writer.write(fields)) == fields


def test_the_built_in_declaration_can_be_written_too() -> None:
    assert toml_file.parse(toml_writer.write(PROFILE_FIELDS)) == PROFILE_FIELDS


def test_every_field_has_a_valid_example(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    fields = toml_file.parse(EVERY_KIND)

    with app.app_context():
        for field in fields:
            assert input_field(field).deserialize(field.example) == field.example, field.name
    assert {field.name for field in fields} == set(VALUES)
