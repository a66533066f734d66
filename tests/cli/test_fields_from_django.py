"""Profile fields from Django: the draft of a declaration, and the import with it."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask

import config
from tests.support import commands
from tests.support.import_files import RunImport, import_command
from tests.support.own_fields import EVERY_KIND
from tests.support.sql import fetch_rows

Declare = Callable[..., Flask]

PROJECT = config.ROOT / "tests" / "django_project"
MEMBERS = 60


class MemberSite(NamedTuple):
    """A Django site whose users have fields of their own.

    Attributes:
        dumps: of all its tables, without and with natural keys.
        fields: the fields that its users have, by email address.
    """

    dumps: list[str]
    fields: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> MemberSite:
    project = tmp_path_factory.mktemp("members") / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    env = commands.bare_environment(
        DATABASE=str(project / "db.sqlite3"), PYTHONPATH=str(project), DJANGO_SETTINGS_MODULE="member_settings"
    )
    outputs = []
    for command in (
        ("manage.py", "migrate", "--run-syncdb", "-v0"),
        ("-m", "members.fill", str(MEMBERS)),
        ("manage.py", "dumpdata"),
        ("manage.py", "dumpdata", "--natural-foreign", "--natural-primary"),
    ):
        result = commands.run(sys.executable, *command, env=env, cwd=project)
        assert result.code == 0, result.errors
        outputs.append(result.output)
    return MemberSite(outputs[2:], json.loads(outputs[1]))


@pytest.fixture
def propose(app: Flask, tmp_path: Path) -> Callable[[str | list[Any]], str]:
    """The draft for a dump."""

    def invoke(dump: str | list[Any]) -> str:
        path = tmp_path / "dump.json"
        path.write_text(dump if isinstance(dump, str) else json.dumps(dump))
        result = app.test_cli_runner().invoke(args=["fields", "propose", str(path)])
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Flask], RunImport]:
    return lambda app: import_command(app, tmp_path)


def stored(app: Flask) -> dict[str, dict[str, Any]]:
    """The city and the own fields of each user, by email address."""
    found = fetch_rows(app, "SELECT email, city, extra FROM users LEFT JOIN user_profiles ON user_id = id ORDER BY id")
    return {
        row.email: ({"city": row.city} if row.city else {})
        | ((json.loads(row.extra) if isinstance(row.extra, str) else row.extra) or {})
        for row in found
    }


def user(pk: int, **fields: Any) -> dict[str, Any]:
    values = {"email": f"user{pk}@example.com", "password": "!", "last_login": None}
    return {"model": "shop.user", "pk": pk, "fields": values | fields}


def entry(model: str, pk: int, **fields: Any) -> dict[str, Any]:
    return {"model": model, "pk": pk, "fields": fields}


@pytest.mark.both
@pytest.mark.parametrize("number", [0, 1])
def test_W20_the_draft_for_a_django_project_is_accepted_and_the_import_with_it_takes_every_value(
    app: Flask,
    declare: Declare,
    run: Callable[[Flask], RunImport],
    propose: Callable[[str], str],
    site: MemberSite,
    number: int,
) -> None:
    dump = site.dumps[number]
    draft = propose(dump)

    own = declare(draft)
    result = run(own)(dump, name="users.json")

    assert result.exit_code == 0, result.output
    assert "60 imported, 0 updated, 0 already existed, 0 rejected, 0 changed" in result.stdout
    assert stored(own) == site.fields
    ignored = result.stdout.partition("Ignored: ")[2].splitlines()[0]
    assert "members.member.settings" not in ignored  # empty
    assert all(f"{name} {count}" in ignored for name, count in {"members.order": 120, "members.employer": 1}.items())


def test_the_draft_says_what_it_guessed_and_what_it_left_out(propose: Callable[[str], str], site: MemberSite) -> None:
    draft = propose(site.dumps[0])

    blocks = {block.split("]")[0].partition("[profile.")[2]: block for block in draft.split("\n\n")}
    types = {
        name: block.partition("type = ")[2].splitlines()[0] for name, block in blocks.items() if "type = " in block
    }
    assert types | {
        "phone": '"phone"', "company": '"line"', "newsletter": '"flag"', "plan": '"choice"', "employer": '"integer"',
        "since": '"date"', "seen": '"moment"', "rate": '"decimal"', "score": '"decimal"', "topics": '"choices"',
        "website": '"url"', "notes": '"text"', "customer_number": '"line"',
    } == types  # fmt: skip
    assert blocks["city"].splitlines()[1:] == ["[profile.city]", 'required = "no"']
    assert "# members.member.phone: 40 of 60 entries have a value, of at most 13 characters." in blocks["phone"]
    assert "required" not in blocks["phone"] + blocks["newsletter"] + blocks["company"]
    assert all('required = "new"' in blocks[name] for name in ("plan", "since", "customer_number"))
    assert 'options = ["basic", "pro"]' in blocks["plan"]
    assert 'options = ["news", "tips, tricks"]' in blocks["topics"]
    assert "If the numbers are ids of another model, delete this field" in blocks["employer"]
    assert "members.member 60, members.membership 45." in draft.splitlines()[0]
    assert "left out: title, dob, address, country, zip." in draft
    assert "# members.member.settings: No entry has a value." in draft
    assert "# members.member.language: profile.language: This name is reserved." in draft
    assert "members.order" not in draft


def test_values_in_another_form_are_converted_or_named(declare: Declare, run: Callable[[Flask], RunImport]) -> None:
    app = declare(EVERY_KIND)
    dump = [
        user(1, company="Wren", budget=1e-7, employees="12", opened="2024-01-02T03:04:05", topics="news,=1+1"),
        user(2, company=7, founded="2024-01-02T03:04:05Z", size=3, topics=[1, 2], seat="Germany"),
        entry("shop.profile", 1, user=1, company="Finch", budget=5, about="Second"),
        entry("shop.profile", 2, user=2, title="Dr", budget="0E-10"),
    ]

    result = run(app)(json.dumps(dump), name="users.json")

    assert result.exit_code == 0
    named = next(line for line in result.stdout.splitlines() if "entry 2 (shop.user 2): Skipped fields: " in line)
    assert all(f"profile.{name}: " in named for name in ("company", "founded", "size", "topics", "seat"))
    assert "shop.profile.company 1" in result.stdout
    assert stored(app) == {
        "user1@example.com": {
            "company": "Wren", "budget": "0.0000001", "employees": 12, "opened": "2024-01-02T03:04:05Z",
            "topics": ["news", "=1+1"], "about": "Second",
        },
        "user2@example.com": {"budget": "0.0000000000"},
    }  # fmt: skip


def test_models_with_several_entries_for_a_user_or_without_one_are_ignored(
    declare: Declare, run: Callable[[Flask], RunImport]
) -> None:
    app = declare('[profile.phone]\ntype = "line"\n')
    dump = [
        entry("shop.order", 1, user=1, phone="1"),
        entry("shop.order", 2, user=1, phone="2"),
        entry("shop.order", 3, user=2, phone="3"),
        entry("shop.shop", 1, phone="4"),
        entry("shop.profile", 8, user=None, phone="5"),
        entry("shop.profile", 2, phone="6"),  # its primary key refers to the user
        user(1),
        user(2),
    ]

    result = run(app)(json.dumps(dump), name="users.json")

    assert result.exit_code == 0
    assert "Ignored: shop.order 3, shop.shop 1, shop.profile without its user 1." in result.stdout
    assert stored(app) == {"user1@example.com": {}, "user2@example.com": {"phone": "6"}}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[", "The dump is damaged or incomplete after entry 0."),
        (json.dumps([user(1)]), "The dump has no fields for profiles besides those of Django's user model."),
    ],
)
def test_a_file_without_fields_gets_one_line(app: Flask, tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "dump.json"
    path.write_text(content)

    result = app.test_cli_runner().invoke(args=["fields", "propose", str(path)])

    assert (result.exit_code, result.stdout) == (1, "")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1
