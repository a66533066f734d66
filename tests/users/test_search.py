"""Search by contained text, through the API, the staff site and the commands."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

from tests.support.api_client import ApiUser
from tests.support.factories import make_user
from tests.support.staff_client import staff_client
from userapi.auth import pruning
from userapi.core import clock
from userapi.core.db import db
from userapi.users import list_queries, search, search_index
from userapi.users.models import User

pytestmark = pytest.mark.both

LIST = "/userapi/users/"

Find = Callable[..., list[int]]

PATTERNS = (
    "%",
    "_",
    "\\",
    "%%%",
    "___",
    "a%a",
    '"ada"',
    "ada*",
    "ada OR bob",
    "ada NOT bob",
    "NEAR(ada)",
    "email_key:ada",
)


@pytest.fixture
def find(staff: ApiUser) -> Find:
    """Find ids with the API."""

    def found(text: str, **query: Any) -> list[int]:
        answer = staff.get(LIST, query_string={"search": text, **query})
        assert answer.status_code == 200
        return [user["id"] for user in answer.get_json()["results"]]

    return found


@pytest.fixture
def ada(app: Flask) -> int:
    return make_user(
        app, email="ada.quill@blue-harbour.example.com", first_name="Ada", last_name="O'Neill", username="countess"
    )


def test_every_word_may_be_anywhere_in_email_or_names(find: Find, ada: int) -> None:
    for text in ("harbour", "QUILL@BLUE", "blue-harbour.example.com", "neil", "uill NEILL", "da.q harb", "ill"):
        assert find(text) == [ada], text
    for text in ("harbor", "quill@harbour", "adaoneill", "neill ada.quills"):
        assert find(text) == [], text


def test_short_words_match_only_beginnings(find: Find, ada: int) -> None:
    assert find("ad") == find("o'") == find("ad harb") == find("harb o") == [ada]
    assert find("da") == find("ui") == find("harb ui") == []


def test_case_does_not_matter_beyond_ascii_either(find: Find, app: Flask) -> None:
    sofia = make_user(app, first_name="Σοφία", last_name="Große-Ørsted")

    for text in ("οφί", "ΟΦΊΑ", "GROSSE", "rosse-ø", "ØRST"):
        assert find(text) == [sofia], text


@pytest.mark.parametrize("text", PATTERNS)
def test_characters_of_search_syntax_are_ordinary_characters(find: Find, ada: int, app: Flask, text: str) -> None:
    named = make_user(app, first_name=f"x {text} x")

    assert find(text, ordering="-date_joined", is_staff="false") in ([], [named])
    assert find(f"zz{text}zz") == []


def test_staff_find_by_contained_username_and_by_the_whole_id(app: Flask, ada: int) -> None:
    boss = staff_client(app, is_staff=True, is_superuser=True)

    def listed(text: str) -> set[str]:
        page = boss.get("/admin/users/", query_string={"search": text}).text
        return set(re.findall(r'name="user" value="(\d+)"', page))

    with app.app_context():
        moment = db.session.scalar(sa.select(User.date_joined))
        db.session.add(User(id=98765, email="kay@example.com", email_key="kay@example.com", date_joined=moment))
        db.session.commit()
    assert listed("ountes") == {str(ada)}
    assert listed("98765") == {"98765"}
    assert listed("9876") == set()
    assert listed("98765 exampl") == {"98765"}
    assert listed("98765 harbour") == set()


def test_results_follow_changes_and_deletions(find: Find, ada: int, staff: ApiUser) -> None:
    staff.patch(f"{LIST}{ada}/", json={"last_name": "Whitestone"})
    assert find("eill") == []
    assert find("teston") == [ada]

    staff.delete(f"{LIST}{ada}/")
    assert find("teston") == find("harbour") == []


@pytest.mark.parametrize("most", [0, 1_000_000], ids=["common text", "rare text"])
@pytest.mark.parametrize("ordering", ["email", "-date_joined", "last_login", "-last_name"])
def test_pages_are_complete_whatever_the_plan(
    app: Flask, staff: ApiUser, monkeypatch: pytest.MonkeyPatch, most: int, ordering: str
) -> None:
    monkeypatch.setattr(search, "MAX_INDEXED", {"postgresql": most, "sqlite": most})
    monkeypatch.setattr(list_queries, "WINDOW", 2)
    list_queries._statement.cache_clear()
    wanted = {make_user(app, first_name=f"Crowd{number}") for number in range(7)}
    for number in range(6):
        make_user(app, email=f"a{number}@example.com")
    found: list[int] = []
    url = f"{LIST}?search=rowd&limit=2&ordering={ordering}"
    pages = 0
    while url:
        answer = staff.get(url).get_json()
        found += [user["id"] for user in answer["results"]]
        url = (answer["next"] or "").removeprefix("http://accounts.example.com")
        pages += 1

    assert len(found) == len(set(found)) == 7
    assert set(found) == wanted
    assert pages == 4
    list_queries._statement.cache_clear()


def test_the_index_holds_nothing_of_a_deleted_user_after_pruning(app: Flask, staff: ApiUser) -> None:
    for number in range(3):
        user_id = make_user(app, email=f"qxjwv{number}@example.com", first_name="Qxjwv")
        make_user(app, last_name="Zywk")
        staff.delete(f"{LIST}{user_id}/")

    with app.app_context():
        if db.engine.dialect.name == "postgresql":  # VACUUM empties its index, as it does the table
            return
        pruning.prune(clock.now())
        stored = b"".join(db.session.scalars(sa.text("SELECT block FROM users_search_data")).all())
        db.session.execute(sa.text("INSERT INTO users_search(users_search) VALUES ('integrity-check')"))
    assert b"zyw" in stored  # a trigram that shares no beginning with another is stored as it is
    assert b"qxj" not in stored


def definitions(app: Flask) -> list[str]:
    with app.app_context():
        found = db.session.scalars(
            sa.text(
                "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_users_search'"
                if db.engine.dialect.name == "postgresql"
                else "SELECT sql FROM sqlite_master WHERE name LIKE 'users_search%' AND sql IS NOT NULL ORDER BY name"
            )
        ).all()
        db.session.remove()
    return [" ".join(text.split()).replace("IF NOT EXISTS ", "") for text in found]


def test_create_all_makes_the_index_of_the_migration(app: Flask, bare_app: Flask) -> None:
    with bare_app.app_context():
        db.create_all()

    assert definitions(bare_app) == definitions(app) != []


def without_trigrams(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrate a database that cannot have the index."""
    postgresql = "CREATE EXTENSION IF NOT EXISTS pg_trgm"

    def refuse(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        missing = statement.replace(postgresql, "CREATE EXTENSION pg_trgm_missing").replace("USING fts5", "USING fts99")
        return missing, parameters

    with app.app_context():
        sa.event.listen(db.engine, "before_cursor_execute", refuse, retval=True)
        upgrade()
        sa.event.remove(db.engine, "before_cursor_execute", refuse)


def test_without_trigrams_search_finds_beginnings_until_the_index_is_created(
    bare_app: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_trigrams(bare_app, monkeypatch)
    assert "flask doctor" in capsys.readouterr().out
    ada = make_user(bare_app, email="ada.quill@blue-harbour.example.com")

    def found(text: str) -> list[int]:
        with bare_app.app_context():
            return list_queries.find_ids({"search": text}, 10)

    assert found("ada.qu") == [ada]
    assert found("harbour") == []
    run = bare_app.test_cli_runner()
    assert "flask users index" in run.invoke(args=["doctor"]).output

    assert run.invoke(args=["users", "index"]).exit_code == 0

    assert found("harbour") == [ada]
    assert "flask users index" not in run.invoke(args=["doctor"]).output
    with bare_app.app_context():
        assert search_index.is_available()
