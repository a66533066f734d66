"""Users from a file of lines: who comes in, who is there already, who is refused and why."""

import csv
import io
import json
import os
import pty
import re
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serving
import sqlalchemy as sa
from click.testing import Result
from conftest import Person, sign_in
from factories import PASSWORD, PROFILE, make_user
from flask import Flask
from flask_migrate import upgrade
from settings import settings

from userapi.app import create_app
from userapi.core.db import db
from userapi.users.transfer import importing
from userapi.users.transfer.records import Record

Bring = Callable[..., Result]

#: PASSWORD as Django would have hashed it, cheaply.
HASH = "pbkdf2_sha256$1000$wS4hXv1cQz$MA8xUcAefqqKVQBr4yzb5IdzucipXCvY9dQBBekcMPk="


def line(**fields: Any) -> dict[str, Any]:
    """A user as a line of JSON has it."""
    return {"email": "ada@example.com", "first_name": "Ada", **fields}


def rows(app: Flask, statement: str) -> list[Any]:
    with app.app_context():
        return list(db.session.execute(sa.text(statement)))


def users(app: Flask) -> list[tuple[int, str]]:
    return [(row.id, row.email) for row in rows(app, "SELECT id, email FROM users ORDER BY id")]


def event(app: Flask) -> dict[str, Any]:
    """What the trail says of the last import."""
    found = rows(app, "SELECT changes FROM audit_events WHERE action = 'users.imported' ORDER BY id DESC LIMIT 1")
    changes = found[0].changes
    told: dict[str, Any] = json.loads(changes) if isinstance(changes, str) else changes
    return {name: after for name, (_before, after) in told.items() if after}


def as_jsonl(*lines: Any) -> str:
    return "".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines)


def as_csv(*lines: dict[str, str]) -> str:
    file = io.StringIO()
    columns = list(dict.fromkeys(name for each in lines for name in each))
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


@pytest.fixture
def bring(app: Flask, tmp_path: Path) -> Bring:
    """`flask users import` of a text or bytes: `bring(text, "--dry-run", name="users.csv")`."""

    def invoke(content: str | bytes, *options: str, name: str = "users.jsonl") -> Result:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return app.test_cli_runner().invoke(args=["users", "import", str(path), *options])

    return invoke


def test_everything_that_a_line_tells_is_kept(app: Flask, bring: Bring, person: Callable[..., Person]) -> None:
    told = line(
        id=4711,
        email="Ada.Lovelace@Example.com",
        username="ada",
        last_name="Lovelace",
        is_staff=True,
        email_verified_at="2024-05-06T07:08:09.123456Z",
        date_joined="2023-01-02T03:04:05+01:00",
        last_login="2024-05-06T07:08:09",
        password_hash=HASH,
        profile=PROFILE,
        groups=["Editors"],
        permissions=["view_user"],
    )

    result = bring(as_jsonl({"group": "Editors", "permissions": ["view_group", "change_user"]}, told))

    assert (result.exit_code, result.stderr) == (0, "")
    assert "1 imported" in result.stdout
    tokens = sign_in(app, "ada.lovelace@example.com")
    me = (
        app.test_client()
        .get("/userapi/auth/user/", headers={"Authorization": f"Bearer {tokens['access_token']}"})
        .get_json()
    )
    assert me["id"] == 4711
    assert (me["email"], me["username"], me["last_name"]) == ("Ada.Lovelace@Example.com", "ada", "Lovelace")
    assert (me["is_staff"], me["is_superuser"], me["is_active"], me["email_verified"]) == (True, False, True, True)
    assert (me["date_joined"], me["profile"]) == ("2023-01-02T02:04:05Z", PROFILE)
    of_group = rows(
        app,
        "SELECT g.name, p.codename FROM user_groups u JOIN groups g ON g.id = u.group_id "
        "JOIN group_permissions x ON x.group_id = g.id JOIN permissions p ON p.id = x.permission_id ORDER BY 2",
    )
    assert [tuple(row) for row in of_group] == [("Editors", "change_user"), ("Editors", "view_group")]
    own = rows(app, "SELECT codename FROM user_permissions JOIN permissions ON id = permission_id")
    assert [row.codename for row in own] == ["view_user"]
    staff = person(is_staff=True, is_superuser=True)
    found = staff.get("/userapi/users/", query_string={"search": "lovelace"}).get_json()["results"]
    assert [each["id"] for each in found] == [4711]


def test_a_table_says_the_same_as_lines(app: Flask, bring: Bring) -> None:
    told = {
        "id": "4711", "email": "ada@example.com", "first_name": "Ada", "is_staff": "True", "email_verified": "yes",
        "password_hash": HASH, "groups": "Editors; Writers", "profile.title": "Ms", "profile.dob": "1990-12-10",
        "profile.address": "12, Pulteney Street", "profile.country": "United Kingdom", "profile.city": "Bath",
        "profile.zip": "BA2 4", "last_login": "",
    }  # fmt: skip

    result = bring(as_csv(told), name="users.csv")

    assert (result.exit_code, result.stderr) == (0, "")
    sign_in(app, "ada@example.com")
    (user,) = rows(app, "SELECT * FROM users JOIN user_profiles ON user_id = id")
    assert (user.id, user.is_staff, user.is_superuser, user.address) == (4711, True, False, "12, Pulteney Street")
    assert user.email_verified_at is not None
    names = rows(app, "SELECT name FROM groups JOIN user_groups ON group_id = id ORDER BY name")
    assert [row.name for row in names] == ["Editors", "Writers"]


def test_a_byte_order_mark_and_other_line_ends_do_no_harm(app: Flask, bring: Bring) -> None:
    table = "\ufeff" + as_csv({"email": "ada@example.com", "first_name": "Ada"}).replace("\n", "\r\n")
    lines = "\ufeff" + as_jsonl(line(email="bob@example.com")).replace("\n", "\r\n") + "\r\n\r\n"

    assert bring(table, name="users.csv").exit_code == 0
    assert bring(lines).exit_code == 0

    assert [email for _id, email in users(app)] == ["ada@example.com", "bob@example.com"]


def test_standard_input_is_read_when_its_kind_is_told(app: Flask) -> None:
    runner = app.test_cli_runner()
    content = as_jsonl(line())

    untold = runner.invoke(args=["users", "import", "-"], input=content)
    told = runner.invoke(args=["users", "import", "-", "--format", "jsonl"], input=content)

    assert (untold.exit_code, told.exit_code) == (2, 0)
    assert "--format" in untold.stderr
    assert len(users(app)) == 1


# --- Who is there already, and who is who -----------------------------------------------------------------


def test_U08_addresses_that_are_one_after_normalising_are_named_and_the_first_is_taken(
    app: Flask, bring: Bring
) -> None:
    content = as_jsonl(
        line(id=5, email="Ada@Example.com"),
        line(id=6, email="bob@example.com"),
        line(id=7, email="ada@example.COM", first_name="Other"),
        line(id=8, email="eve@bücher.example"),
        line(id=9, email="EVE@xn--bcher-kva.example"),
    )

    for options in (("--dry-run",), ()):
        result = bring(content, *options)

        assert result.exit_code == 1
        assert "line 3: ada@example.COM is the same address as in line 1." in result.stdout
        assert "line 5: EVE@xn--bcher-kva.example is the same address as in line 4." in result.stdout
        assert "5 read, 3 imported, 0 updated, 0 there already, 2 refused" in result.stdout

    assert users(app) == [(5, "Ada@Example.com"), (6, "bob@example.com"), (8, "eve@bücher.example")]


def test_who_is_there_already_is_left_alone_unless_told_otherwise(app: Flask, bring: Bring, user: Person) -> None:
    before = user.get("/userapi/auth/user/").get_json()

    result = bring(as_jsonl(line(email=user.email.upper(), last_name="Changed", password_hash=HASH), line()))

    assert result.exit_code == 0
    assert f"line 1: {user.email.upper()} is there already, as user {user.id}." in result.stdout
    assert "1 imported, 0 updated, 1 there already" in result.stdout
    assert user.get("/userapi/auth/user/").get_json() == before


def test_an_update_changes_what_the_file_tells_and_nothing_else(app: Flask, bring: Bring, user: Person) -> None:
    before = user.get("/userapi/auth/user/").get_json()
    changed = line(
        email=user.email.upper(), first_name="Élodie", profile=PROFILE | {"city": "York"}, groups=["Editors"]
    )

    result = bring(as_jsonl(changed), "--on-conflict", "update")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "0 imported, 1 updated" in result.stdout
    after = user.get("/userapi/auth/user/").get_json()
    expected = {"email": user.email.upper(), "first_name": "Élodie", "profile": before["profile"] | {"city": "York"}}
    assert after == before | expected
    assert [row.name for row in rows(app, "SELECT name FROM groups JOIN user_groups ON group_id = id")] == ["Editors"]
    assert rows(app, "SELECT first_name_key FROM users")[0].first_name_key == "élodie"
    sign_in(app, user.email)

    assert bring(as_jsonl(line(email=user.email, groups=[])), "--on-conflict", "update").exit_code == 0
    assert rows(app, "SELECT * FROM user_groups") == []


@pytest.mark.parametrize("change", [{"password_hash": HASH}, {"is_active": False}])
def test_an_update_that_takes_the_password_or_the_right_to_sign_in_ends_every_session(
    app: Flask, bring: Bring, user: Person, stranger: Person, change: dict[str, Any]
) -> None:
    same = rows(app, f"SELECT password_hash FROM users WHERE id = {stranger.id}")[0].password_hash
    content = as_jsonl(line(email=user.email, **change), line(email=stranger.email, password_hash=same, is_active=True))

    assert bring(content, "--on-conflict", "update").exit_code == 0

    assert user.get("/userapi/auth/user/").status_code == 401
    assert stranger.get("/userapi/auth/user/").status_code == 200


def test_an_update_never_takes_the_last_superuser(app: Flask, bring: Bring, superuser: Person) -> None:
    demoted = as_jsonl(line(email=superuser.email, is_superuser=False))

    refused = bring(demoted, "--on-conflict", "update")
    another = bring(demoted + as_jsonl(line(email="root@example.com", is_superuser=True)), "--on-conflict", "update")

    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "last active superuser" in refused.stderr
    assert another.exit_code == 1  # the other one is not there yet
    assert superuser.get("/userapi/auth/user/").get_json()["is_superuser"] is True
    bring(as_jsonl(line(email="root@example.com", is_superuser=True)))
    assert bring(demoted, "--on-conflict", "update").exit_code == 0
    assert superuser.get("/userapi/auth/user/").get_json()["is_superuser"] is False


@pytest.mark.parametrize(
    "obstacle",
    [
        {"email": "TAKEN@example.com"},
        {"email": "Ada@example.com"},
        {"email": "no address"},
        {"profile": {"city": "Bath"}},
    ],
)
def test_fail_imports_all_or_nothing(
    app: Flask, bring: Bring, monkeypatch: pytest.MonkeyPatch, obstacle: dict[str, Any]
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    make_user(app, email="taken@example.com")
    good = [line(), *(line(email=f"person{number}@example.org") for number in range(5))]

    refused = bring(
        as_jsonl({"group": "Editors"}, *good, line(**{"email": "eve@example.com"} | obstacle)), "--on-conflict", "fail"
    )

    assert (refused.exit_code, refused.stderr.count("\n"), refused.stdout) == (1, 1, "")
    assert "line 8:" in refused.stderr
    assert len(users(app)) == 1
    assert rows(app, "SELECT * FROM groups") == []
    assert rows(app, "SELECT * FROM audit_events WHERE action <> 'user.created'") == []
    assert bring(as_jsonl(*good), "--on-conflict", "fail").exit_code == 0
    assert len(users(app)) == 7


# --- Ids --------------------------------------------------------------------------------------------------


def test_an_id_that_is_not_free_is_replaced_and_told_and_displaces_nobody(
    app: Flask, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    taken = make_user(app)
    content = as_jsonl(
        *(line(id=taken + number, email=f"person{number}@example.org") for number in range(6)),
        line(id=taken + 3, email="twin@example.org"),
        line(email="none@example.org"),
    )

    result = bring(content)

    assert result.exit_code == 0
    kept = {email: user_id for user_id, email in users(app)}
    assert [kept[f"person{number}@example.org"] for number in range(1, 6)] == [taken + number for number in range(1, 6)]
    new = {kept[f"{name}@example.org"] for name in ("person0", "twin", "none")}
    assert len(new) == 3
    assert min(new) > taken + 5
    assert f"line 1: The id {taken} is not free. The user is {kept['person0@example.org']} now." in result.stdout
    assert f"line 7: The id {taken + 3} is not free." in result.stdout
    assert "2 altered" in result.stdout


def test_an_id_of_the_past_is_not_given_again(app: Flask, bring: Bring, superuser: Person, user: Person) -> None:
    assert superuser.delete(user.url).status_code == 204

    bring(as_jsonl(line(id=user.id)))

    assert dict(users(app)).get(user.id) is None
    assert len(users(app)) == 2


def test_U10_those_who_come_later_get_higher_ids(app: Flask, bring: Bring) -> None:
    bring(as_jsonl(line(id=70_000), line(id=12, email="bob@example.com")))

    assert make_user(app) > 70_000


def test_an_id_that_leaves_no_other_is_refused(new_database_url: str, key_folder: str, tmp_path: Path) -> None:
    app = create_app(settings(new_database_url, key_folder))
    with app.app_context():
        upgrade()
    (tmp_path / "users.jsonl").write_text(as_jsonl(line(id=2**63 - 1), line(id=2**53 - 1, email="bob@example.com")))

    result = app.test_cli_runner().invoke(args=["users", "import", str(tmp_path / "users.jsonl")])

    assert "line 1: id: Not a whole number" in result.stdout
    assert [user_id for user_id, _email in users(app)] == [2**53 - 1]
    assert make_user(app) == 2**53
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


# --- Passwords --------------------------------------------------------------------------------------------


def test_U09_an_imported_hash_signs_in_and_becomes_argon2id(app: Flask, bring: Bring) -> None:
    bring(as_jsonl(line(password_hash=HASH)))
    assert rows(app, "SELECT password_hash FROM users")[0].password_hash == HASH

    sign_in(app, "ada@example.com")

    assert rows(app, "SELECT password_hash FROM users")[0].password_hash.startswith("$argon2id$")
    sign_in(app, "ada@example.com")


def test_hashes_can_be_left_behind(app: Flask, bring: Bring) -> None:
    assert bring(as_jsonl(line(password_hash=HASH)), "--without-passwords").exit_code == 0

    assert rows(app, "SELECT password_hash FROM users")[0].password_hash is None


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"password_hash": "velvet tram"}, "no password hash of a known kind"),
        ({"password_hash": "md5$salt$0123456789abcdef"}, "no password hash of a known kind"),
        ({"password_hash": HASH.replace("$1000$", "$3000001$")}, "would cost too much"),
        ({"password_hash": "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$" + "A" * 43}, "would cost too much"),
        ({"password": PASSWORD}, "only hashes are taken, as password_hash"),
    ],
)
def test_what_is_no_hash_is_refused_and_never_repeated(
    app: Flask, bring: Bring, told: dict[str, str], reason: str
) -> None:
    result = bring(as_jsonl(line(**told)))

    assert result.exit_code == 1
    assert reason in result.stdout.lower()
    assert not [value for value in told.values() if value in result.output]
    assert users(app) == []


# --- What is refused --------------------------------------------------------------------------------------

HOSTILE: dict[str, Any] = {
    "a NUL": line(first_name="A\x00da"),
    "a NUL in the address": line(email="a\x00da@example.com"),
    "a lone surrogate": '{"email": "ada@example.com", "first_name": "\\ud800"}',
    "a line end": line(last_name="Love\nlace"),
    "an escape": line(username="\x1b[31mred"),
    "no day": line(date_joined="2024-02-30"),
    "a day of the future": line(date_joined="2999-01-01"),
    "a day before the first": line(date_joined="0001-01-01T00:00:00+14:00"),
    "the last moment of all": line(last_login="9999-12-31T23:59:59-14:00"),
    "a number for a day": line(date_joined=1700000000),
    "a long name": line(first_name="x" * 151),
    "a long address": line(email="x" * 250 + "@example.com"),
    "a huge field": line(first_name="x" * 900_000),
    "a huge line": line(first_name="x" * 3_000_000),
    "a list": "[1, 2]",
    "a number": "1",
    "a text": '"ada@example.com"',
    "not a number": '{"email": "ada@example.com", "id": NaN}',
    "nested beyond reason": '{"email": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "broken JSON": '{"email": "ada@example.com"',
    "a list as an address": line(email=["ada@example.com"]),
    "an object as a name": line(first_name={"$ne": None}),
    "a text as a flag": line(is_staff="maybe"),
    "a number as a flag": line(is_superuser=1),
    "an id that is none": line(id="1; DROP TABLE users"),
    "a negative id": line(id=-1),
    "a fraction as an id": line(id=1.5),
    "a flag as an id": line(id=True),
    "a text as groups": line(groups="Editors"),
    "groups in groups": line(groups=[["Editors"]]),
    "a blank group": line(groups=[" "]),
    "too many groups": line(groups=[str(number) for number in range(1001)]),
    "an unknown field": line(surprise="x"),
    "no address": {"first_name": "Ada"},
    "an empty address": line(email=""),
    "a local address": line(email="ada@localhost"),
    "a group without a name": {"group": "", "permissions": []},
    "a group with a control character": {"group": "Edi\ttors"},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_cannot_be_taken_is_refused_with_its_line_and_the_others_come_in(
    app: Flask, bring: Bring, what: str
) -> None:
    content = as_jsonl(line(email="first@example.com"), HOSTILE[what], line(email="last@example.com"))

    result = bring(content)

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert re.search(r"Refused:\n  line 2: .+\n", result.stdout), result.stdout
    assert "2 imported, 0 updated, 0 there already, 1 refused" in result.stdout
    assert len(result.output) < 2000
    assert "\x1b" not in result.output
    assert [email for _id, email in users(app)] == ["first@example.com", "last@example.com"]
    assert event(app) == {"read": 3, "made": 2, "refused": 1, "on_conflict": "skip"}


@pytest.mark.parametrize(
    "bad",
    [
        b"ada@example.com,Ad\xe9\n",
        b"ada@example.com,A\x00da\n",
        b"ada@example.com\n",
        b"ada@example.com,Ada,more\n",
        b'ada@example.com,"Ada"x\n',
        b"ada@example.com," + b"x" * 200_000 + b"\n",
        b"ada@example.com," + b"x" * 3_000_000 + b"\n",
    ],
)
def test_a_row_that_cannot_be_read_is_refused_and_the_others_come_in(app: Flask, bring: Bring, bad: bytes) -> None:
    content = b"email,first_name\nfirst@example.com,First\n" + bad + b"last@example.com,Last\n"

    result = bring(content, name="users.csv")

    assert result.exit_code == 1
    assert "  line 3: " in result.stdout
    assert "2 imported" in result.stdout
    assert [email for _id, email in users(app)] == ["first@example.com", "last@example.com"]


@pytest.mark.parametrize(
    ("bad", "name", "told"),
    [
        (b"ada@example.com,Ad\xe9\n", "users.csv", "line 2: Not UTF-8. Save the file in that encoding."),
        (b"ada@example.com\n", "users.csv", "line 2: Has 1 cells, the first line 2."),
        (b'{"email": "ad\xe9@example.com"}\n', "users.jsonl", "line 1: Not UTF-8. Save the file in that encoding."),
        (b'{"email": "' + b"x" * 2_000_000 + b'"}\n', "users.jsonl", "line 1: Longer than 1000000 characters."),
        (b'{"email"}\n', "users.jsonl", "line 1: Not JSON."),
        (b"[]\n", "users.jsonl", "line 1: Not a JSON object."),
        (b'{"email": "ada@example.com", "zip": "1"}\n', "users.jsonl", "line 1: zip: Unknown field."),
    ],
)
def test_a_reason_says_what_to_mend(app: Flask, bring: Bring, bad: bytes, name: str, told: str) -> None:
    result = bring((b"email,first_name\n" if name == "users.csv" else b"") + bad, name=name)

    assert told in result.stdout.splitlines()[1]


def test_a_file_cut_off_loses_its_last_row_alone(app: Flask, bring: Bring) -> None:
    table = 'email,first_name\nfirst@example.com,First\nada@example.com,"Ad'
    lines = as_jsonl(line(email="bob@example.com")) + '{"email": "eve@exam'

    for content, name, place in ((table, "users.csv", "line 3: "), (lines, "users.jsonl", "line 2: ")):
        result = bring(content, name=name)

        assert result.exit_code == 1
        assert place in result.stdout

    assert [email for _id, email in users(app)] == ["first@example.com", "bob@example.com"]


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        ("", "users.csv", "Line 1 must name the columns"),
        ("first_name\nAda\n", "users.csv", "email among them"),
        ("email,email\na@example.com,b@example.com\n", "users.csv", "each once"),
        ("email,shoe_size\nada@example.com,38\n", "users.csv", "shoe_size"),
        ("email,password\nada@example.com,secret\n", "users.csv", "Only hashes are taken"),
        ("email;first_name\nada@example.com;Ada\n", "users.csv", "separated by commas"),
        (as_csv({"email": "ada@example.com"}).encode("utf-16"), "users.csv", "UTF-16"),
    ],
)
def test_a_file_that_is_none_is_one_line(app: Flask, bring: Bring, content: str | bytes, name: str, told: str) -> None:
    result = bring(content, name=name)

    assert (result.exit_code, result.stderr.count("\n"), result.stdout) == (1, 1, "")
    assert told in result.stderr
    assert users(app) == []


def test_a_file_of_no_known_kind_or_none_is_a_usage_error(app: Flask, bring: Bring) -> None:
    assert bring("", name="users.xlsx").exit_code == 2
    assert app.test_cli_runner().invoke(args=["users", "import", "/nowhere/users.csv"]).exit_code == 2


def test_a_profile_that_breaks_a_rule_is_left_behind_and_told(app: Flask, bring: Bring) -> None:
    content = as_jsonl(
        line(profile=PROFILE | {"zip": "123456", "dob": "2999-01-01"}),
        line(email="bob@example.com", profile={"city": "Bath"}),
        line(email="eve@example.com", profile=dict.fromkeys(PROFILE)),
        line(email="kim@example.com", profile="none"),
    )

    result = bring(content)

    assert result.exit_code == 0
    assert "4 imported" in result.stdout
    assert "3 altered" in result.stdout
    assert re.search(r"line 1: Taken without the profile\. .*profile\.zip: Longer", result.stdout)
    assert "profile.title: Missing." in result.stdout
    assert rows(app, "SELECT * FROM user_profiles") == []

    mended = as_jsonl(line(profile=PROFILE), line(email="bob@example.com", profile=PROFILE))
    assert bring(mended, "--on-conflict", "update").exit_code == 0
    assert len(rows(app, "SELECT * FROM user_profiles")) == 2


def test_permissions_that_there_are_not_here_are_named(app: Flask, bring: Bring) -> None:
    result = bring(as_jsonl({"group": "G", "permissions": ["x"]}, line(permissions=["view_user", "blog.add_post"])))

    assert result.exit_code == 0
    assert "Permissions that there are not here: x 1, blog.add_post 1." in result.stdout
    own = rows(app, "SELECT codename FROM user_permissions JOIN permissions ON id = permission_id")
    assert [row.codename for row in own] == ["view_user"]


def test_a_group_that_is_there_keeps_its_permissions(app: Flask, bring: Bring) -> None:
    bring(as_jsonl({"group": "Editors", "permissions": ["view_user"]}))

    bring(
        as_jsonl({"group": "Editors", "permissions": ["delete_user"]}, line(groups=["Editors"])),
        "--on-conflict",
        "update",
    )

    found = rows(app, "SELECT codename FROM group_permissions JOIN permissions ON id = permission_id")
    assert [row.codename for row in found] == ["view_user"]


def test_addresses_count_as_confirmed_when_told(app: Flask, bring: Bring) -> None:
    joined = "2024-05-06T07:08:09Z"
    bring(as_jsonl(line(date_joined=joined), line(email="bob@example.com", email_verified=False)), "--confirmed")
    bring(as_jsonl(line(email="eve@example.com")))

    found = rows(app, "SELECT email_verified_at IS NOT NULL AS confirmed FROM users ORDER BY id")
    assert [bool(row.confirmed) for row in found] == [True, False, False]


# --- Looking first, being told, breaking off --------------------------------------------------------------


def test_a_dry_run_tells_the_same_and_writes_nothing(app: Flask, bring: Bring) -> None:
    taken = make_user(app, email="taken@example.com")
    content = as_jsonl(
        {"group": "Editors"},
        line(id=taken, groups=["Editors", "Writers"], profile={"city": "Bath"}),
        line(email="TAKEN@example.com"),
        line(email="no address"),
    )
    before = rows(app, "SELECT * FROM audit_events")

    looked = bring(content, "--dry-run")

    assert looked.exit_code == 1
    assert "A dry run: nothing was written." in looked.stdout
    assert rows(app, "SELECT * FROM audit_events") == before
    assert len(users(app)) == 1
    assert rows(app, "SELECT * FROM groups") == []
    summary = "4 read, 1 imported, 0 updated, 1 there already, 1 refused, 2 altered, 2 groups made."
    assert looked.stdout.endswith(summary + "\n")
    assert bring(content).stdout.endswith(summary + "\n")


def test_C09_an_import_is_one_event_that_names_nobody(
    app: Flask, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 3)
    bring(as_jsonl(*(line(email=f"person{number}@example.com") for number in range(10))))

    (found,) = rows(app, "SELECT * FROM audit_events")

    assert found.action == "users.imported"
    assert event(app) == {"read": 10, "made": 10, "on_conflict": "skip"}
    assert "person" not in str(found.changes)


def test_the_report_has_every_line_and_is_for_its_owner_alone(app: Flask, bring: Bring, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"

    result = bring(as_jsonl(*(line(email=f"nobody{number}") for number in range(50))), "--report", str(report))

    assert result.stdout.count("line ") == 20
    assert "… and 30 more; --report FILE writes down all of them." in result.stdout
    told = list(csv.reader(report.read_text().splitlines()))
    assert len(told) == 50
    assert told[49][:2] == ["refused", "line 50"]
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_C09_an_import_that_was_broken_off_goes_on_when_run_again(app: Flask, tmp_path: Path) -> None:
    people = [
        line(id=number, email=f"person{number}@example.com", profile=PROFILE, groups=["All"])
        for number in range(1, 12_001)
    ]
    (tmp_path / "users.jsonl").write_text(as_jsonl(*people))
    env = serving.bare_environment(
        DATABASE_URL=app.config["DATABASE_URL"],
        SECRET_KEY=app.config["SECRET_KEY"],
        JWT_KEY_DIR=app.config["JWT_KEY_DIR"],
        TERM="xterm",
    )
    command = [*serving.FLASK, "users", "import", str(tmp_path / "users.jsonl")]
    screen, terminal = pty.openpty()
    process = serving.start(*command, env=env, stderr=terminal)
    os.close(terminal)
    shown = ""
    while not re.search(r"[2-9],000", shown):
        shown += os.read(screen, 4096).decode(errors="replace")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    os.close(screen)

    made = len(users(app))
    assert 0 < made < 12_000
    assert made % importing.BATCH == 0
    assert event(app)["made"] == made
    assert len(rows(app, "SELECT * FROM user_profiles")) == len(rows(app, "SELECT * FROM user_groups")) == made
    again = serving.run(*command, env=env)

    assert (again.code, again.errors) == (0, "")
    assert f"{12_000 - made:,} imported, 0 updated, {made:,} there already, 0 refused" in again.output
    assert users(app) == [(number, f"person{number}@example.com") for number in range(1, 12_001)]


def test_nobody_waits_while_a_dump_is_read(app: Flask) -> None:
    def reading() -> Iterator[Record]:
        with db.engine.begin() as somebody:
            somebody.execute(sa.text("DELETE FROM groups"))
        yield Record(1, line())

    with app.app_context():
        for _counts in importing.bring_in(reading(), importing.Manner(), lambda *_told: None):
            db.session.commit()

    assert len(users(app)) == 1


def test_two_imports_at_once_make_everybody_once(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text(as_jsonl(*(line(email=f"person{n}@example.com") for n in range(3000))))
    env = serving.bare_environment(
        DATABASE_URL=app.config["DATABASE_URL"],
        SECRET_KEY=app.config["SECRET_KEY"],
        JWT_KEY_DIR=app.config["JWT_KEY_DIR"],
    )
    running = [
        serving.start(*serving.FLASK, "users", "import", str(tmp_path / "users.jsonl"), env=env) for _ in range(2)
    ]

    done = [serving.finish(process) for process in running]

    assert {result.code for result in done} <= {0, 1}, done
    assert len(users(app)) == 3000
