"""After a user was opened from the list, everything leads back to the list as it was (F8)."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import NEW_PASSWORD, StaffClient, staff_client

QUERY = "search=zoe&is_active=true&ordering=email"


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def link_in_list(boss: StaffClient, user_id: int, query: str = QUERY) -> str:
    text = boss.get(f"/admin/users/?{query}").text
    start = text.index(f"/admin/users/{user_id}/")
    return text[start : text.index('"', start)].replace("&amp;", "&")


def asked(location: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(location)
    return parts.path, dict(parse_qsl(parts.query))


@pytest.mark.parametrize("go_on", [False, True])
def test_saving_leads_back_to_the_list_as_it_was(boss: StaffClient, go_on: bool) -> None:
    user_id = make_user(boss.app, email="zoe@example.com", first_name="Zoe")
    link = link_in_list(boss, user_id)
    form = {**boss.form(link), **({"go_on": "true"} if go_on else {})}

    saved = boss.post(f"/admin/users/{user_id}/", **{**form, "last_name": "New"})
    if go_on:
        link = saved.headers["Location"]
        saved = boss.post(f"/admin/users/{user_id}/", **boss.form(link))

    assert asked(saved.headers["Location"]) == ("/admin/users/", dict(parse_qsl(QUERY)))


def test_the_page_of_the_list_is_kept_as_well(boss: StaffClient) -> None:
    for number in range(60):
        make_user(boss.app, email=f"zoe{number:02}@example.com")
    first = boss.get("/admin/users/?search=zoe&ordering=email").text
    start = first.rindex("?", 0, first.index('rel="next"') + 400)
    following = first[start + 1 : first.index('"', start)].replace("&amp;", "&")
    second = boss.get(f"/admin/users/?{following}").text
    start = second.index('<th scope="row"><a href="') + len('<th scope="row"><a href="')
    link = second[start : second.index('"', start)].replace("&amp;", "&")

    saved = boss.post(link.partition("?")[0], **boss.form(link))

    assert asked(saved.headers["Location"]) == ("/admin/users/", dict(parse_qsl(following)))


def test_a_refused_form_cancel_and_the_tabs_keep_the_list(boss: StaffClient) -> None:
    user_id = make_user(boss.app, email="zoe@example.com", first_name="Zoe")
    link = link_in_list(boss, user_id)
    back = f'href="/admin/users/?{QUERY}"'.replace("&", "&amp;")

    refused = boss.post(f"/admin/users/{user_id}/", **{**boss.form(link), "email": "nobody"})
    password = boss.get(link.replace(f"/{user_id}/", f"/{user_id}/password/"))
    set_ = boss.post(
        f"/admin/users/{user_id}/password/",
        **{**boss.fields(password.text), "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )

    assert refused.status_code == 400
    for text in (boss.get(link).text, refused.text, password.text, boss.get(set_.headers["Location"]).text):
        assert back in text


def test_deleting_leads_back_to_the_list_as_it_was(boss: StaffClient) -> None:
    user_id = make_user(boss.app, email="zoe@example.com", first_name="Zoe")
    link = link_in_list(boss, user_id).replace(f"/{user_id}/", f"/{user_id}/delete/")

    deleted = boss.post(f"/admin/users/{user_id}/delete/", **boss.form(link))

    assert asked(deleted.headers["Location"]) == ("/admin/users/", dict(parse_qsl(QUERY)))


@pytest.mark.parametrize("back", ["//evil.example", "_external=1&_scheme=javascript", "endpoint=x&self=y", "%00=%ff"])
def test_the_way_back_never_leaves_the_list(boss: StaffClient, back: str) -> None:
    user_id = make_user(boss.app)
    path = f"/admin/users/{user_id}/"

    saved = boss.post(path, **{**boss.form(path), "back": back})

    assert saved.status_code == 303
    assert saved.headers["Location"].partition("?")[0] == "/admin/users/"
    assert boss.get(saved.headers["Location"]).status_code == 200


def test_the_list_has_no_inputs_that_lose_what_is_typed(boss: StaffClient) -> None:
    """F7: names are changed on the user's page alone."""
    user_id = make_user(boss.app)

    assert "in-place" not in boss.get("/admin/users/").text
    assert boss.post(f"/admin/users/{user_id}/field/", name="first_name", value="X", seen="Wren").status_code == 404
