"""Everything on a user that was opened from the list leads back to the same list (F8)."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import NEW_PASSWORD, StaffClient, staff_client

QUERY = "search=zoe&is_active=true&ordering=email"


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def link_in_list(superuser: StaffClient, user_id: int, query: str = QUERY) -> str:
    text = superuser.get(f"/admin/users/?{query}").text
    start = text.index(f"/admin/users/{user_id}/")
    return text[start : text.index('"', start)].replace("&amp;", "&")


def path_and_query(location: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(location)
    return parts.path, dict(parse_qsl(parts.query))


@pytest.mark.parametrize("go_on", [False, True])
def test_saving_leads_back_to_the_list_as_it_was(superuser: StaffClient, go_on: bool) -> None:
    user_id = make_user(superuser.app, email="zoe@example.com", first_name="Zoe")
    link = link_in_list(superuser, user_id)
    form = {**superuser.form(link), **({"go_on": "true"} if go_on else {})}

    saved = superuser.post(f"/admin/users/{user_id}/", **{**form, "last_name": "New"})
    if go_on:
        link = saved.headers["Location"]
        saved = superuser.post(f"/admin/users/{user_id}/", **superuser.form(link))

    assert path_and_query(saved.headers["Location"]) == ("/admin/users/", dict(parse_qsl(QUERY)))


def test_saving_leads_back_to_the_same_page_of_the_list(superuser: StaffClient) -> None:
    for number in range(60):
        make_user(superuser.app, email=f"zoe{number:02}@example.com")
    first = superuser.get("/admin/users/?search=zoe&ordering=email").text
    start = first.rindex("?", 0, first.index('rel="next"') + 400)
    following = first[start + 1 : first.index('"', start)].replace("&amp;", "&")
    second = superuser.get(f"/admin/users/?{following}").text
    start = second.index('<th scope="row"><a href="') + len('<th scope="row"><a href="')
    link = second[start : second.index('"', start)].replace("&amp;", "&")

    saved = superuser.post(link.partition("?")[0], **superuser.form(link))

    assert path_and_query(saved.headers["Location"]) == ("/admin/users/", dict(parse_qsl(following)))


def test_a_rejected_form_cancel_and_the_tabs_lead_back_to_the_list(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, email="zoe@example.com", first_name="Zoe")
    link = link_in_list(superuser, user_id)
    link_back = f'href="/admin/users/?{QUERY}"'.replace("&", "&amp;")

    rejected = superuser.post(f"/admin/users/{user_id}/", **{**superuser.form(link), "email": "invalid"})
    password = superuser.get(link.replace(f"/{user_id}/", f"/{user_id}/password/"))
    changed = superuser.post(
        f"/admin/users/{user_id}/password/",
        **{**superuser.fields(password.text), "password1": NEW_PASSWORD, "password2": NEW_PASSWORD},
    )

    assert rejected.status_code == 400
    for text in (
        superuser.get(link).text,
        rejected.text,
        password.text,
        superuser.get(changed.headers["Location"]).text,
    ):
        assert link_back in text


def test_deleting_leads_back_to_the_list_as_it_was(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, email="zoe@example.com", first_name="Zoe")
    link = link_in_list(superuser, user_id).replace(f"/{user_id}/", f"/{user_id}/delete/")

    deleted = superuser.post(f"/admin/users/{user_id}/delete/", **superuser.form(link))

    assert path_and_query(deleted.headers["Location"]) == ("/admin/users/", dict(parse_qsl(QUERY)))


@pytest.mark.parametrize(
    "link_back", ["//evil.example", "_external=1&_scheme=javascript", "endpoint=x&self=y", "%00=%ff"]
)
def test_the_link_back_never_leaves_the_list(superuser: StaffClient, link_back: str) -> None:
    user_id = make_user(superuser.app)
    path = f"/admin/users/{user_id}/"

    saved = superuser.post(path, **{**superuser.form(path), "back": link_back})

    assert saved.status_code == 303
    assert saved.headers["Location"].partition("?")[0] == "/admin/users/"
    assert superuser.get(saved.headers["Location"]).status_code == 200


def test_the_list_has_no_inputs_that_lose_what_is_typed(superuser: StaffClient) -> None:
    """F7: names can be changed only on the page of the user."""
    user_id = make_user(superuser.app)

    assert "in-place" not in superuser.get("/admin/users/").text
    assert (
        superuser.post(f"/admin/users/{user_id}/field/", name="first_name", value="X", seen="Wren").status_code == 404
    )
