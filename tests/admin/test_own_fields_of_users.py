"""Fields of profiles that the deployer declared, on the staff site and in the browsable API."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.factories import PROFILE, make_user
from tests.support.own_fields import EVERY_KIND, VALUES
from tests.support.staff_client import StaffClient, grant_permissions, sign_in_with_cookies

Declare = Callable[..., Flask]

BUILT_IN = "".join(f"[profile.{name}]\n" for name in PROFILE)
MORE = (
    '[profile.rating]\ntype = "integer"\nread = "staff"\nwrite = "staff"\nlabel = "Rating"\nlist = true\n'
    '[profile.tax]\ntype = "line"\nlabel = "Tax number"\nsensitive = true\n'
    '[profile.score]\ntype = "integer"\nwrite = "system"\n'
    '[profile.origin]\ntype = "line"\nwrite = "once"\n'
)
TYPED: dict[str, Any] = {f"profile.{name}": value for name, value in VALUES.items()} | {
    "profile.about": VALUES["about"].replace("\n", "\r\n"),
    "profile.newsletter": "true",
    "profile.opened": "2026-11-29T08:30:00.250",
}


def staff_of(app: Flask, **overrides: Any) -> StaffClient:
    """A member of staff who may see the audit log too."""
    staff = sign_in_with_cookies(app, make_user(app, is_staff=True, **overrides))
    grant_permissions(app, staff.id, "view_event", "view_user", "change_user")
    return staff


def read_profile(staff: StaffClient, user_id: int) -> Any:
    return staff.client.get(f"/userapi/users/{user_id}/").get_json()["profile"]


def test_W03_staff_create_a_profile_with_every_kind_and_save_it_unchanged(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    staff, user_id = staff_of(app, profile=None), make_user(app, profile=None)
    path = f"/admin/users/{user_id}/"

    created = staff.post(path, **staff.form(path) | TYPED)
    before = read_profile(staff, user_id)
    saved = staff.post(path, **staff.form(path) | TYPED)

    assert (created.status_code, saved.status_code) == (303, 303), created.text
    assert before == read_profile(staff, user_id) == VALUES
    assert staff.get(f"{path}history/").text.count("user.changed") == 1


def test_W03_staff_change_one_field_and_uncheck_boxes(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    staff, user_id = staff_of(app, profile=None), make_user(app, profile=None)
    path = f"/admin/users/{user_id}/"
    staff.post(path, **staff.form(path) | TYPED)
    form = staff.form(path) | TYPED | {"profile.company": "Wren Ltd."}
    del form["profile.newsletter"], form["profile.topics"]

    assert staff.post(path, **form).status_code == 303

    assert read_profile(staff, user_id) == VALUES | {"company": "Wren Ltd.", "newsletter": False, "topics": None}
    history = staff.get(f"{path}history/").text
    assert "<dt>Company</dt>" in history
    assert "<del>Okafor &amp; Söhne</del>" in history
    assert "<ins>Wren Ltd.</ins>" in history


def test_W03_errors_stand_beside_the_fields(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    staff, user_id = staff_of(app), make_user(app)
    path = f"/admin/users/{user_id}/"

    page = staff.post(path, **staff.form(path) | {"profile.employees": "many", "profile.topics": ["news", "gossip"]})

    assert page.status_code == 400
    assert re.search(r'id="profile-employees-error"', page.text)
    assert re.search(r'id="profile-topics-error"', page.text)
    assert 'value="many"' in page.text
    assert 'value="gossip" checked' in page.text


def test_W03_the_user_list_has_columns_for_fields_that_are_listed(declare: Declare) -> None:
    app = declare(BUILT_IN + MORE + '[profile.seat]\ntype = "country"\nlist = true\n')
    staff, user_id = staff_of(app), make_user(app)
    path = f"/admin/users/{user_id}/"
    typed = {"profile.rating": "3117", "profile.tax": "DE 999", "profile.seat": "GB"}
    assert staff.post(path, **staff.form(path) | typed).status_code == 303

    page = staff.get("/admin/users/").text
    staff.post("/admin/users/columns/", columns=["profile_seat"])
    chosen = staff.get("/admin/users/").text

    assert ">Rating</th>" in page
    assert ">3117</span>" in page
    assert ">United Kingdom</span>" in page
    assert "DE 999" not in page
    assert "Tax number" not in page
    assert ">United Kingdom</span>" in chosen
    assert ">3117</span>" not in chosen


def test_W06_staff_write_what_staff_write_and_only_read_what_the_service_writes(declare: Declare) -> None:
    app = declare(BUILT_IN + MORE)
    staff, user_id = staff_of(app), make_user(app)
    path = f"/admin/users/{user_id}/"
    viewer = sign_in_with_cookies(app, make_user(app, is_staff=True, joins_staff_group=False))
    grant_permissions(app, viewer.id, "view_user")

    typed = {"profile.rating": "4", "profile.tax": "DE 999", "profile.origin": "fair"}
    saved = staff.post(path, **staff.form(path) | typed)
    forged = staff.post(path, **staff.form(path) | {"profile.score": "9"})

    assert saved.status_code == 303, saved.text
    assert re.search(r'name="profile.score"[^>]* disabled', staff.get(path).text)
    assert read_profile(staff, user_id)["score"] is None
    assert forged.status_code == 303
    history = staff.get(f"{path}history/").text
    assert "DE 999" not in history
    assert "<dt>Tax number</dt>" in history
    assert re.search(r'name="profile.rating"[^>]* disabled', viewer.get(path).text)


def test_W05_staff_see_of_themselves_what_owners_see(declare: Declare) -> None:
    app = declare(BUILT_IN + MORE)
    staff = staff_of(app)
    superuser = sign_in_with_cookies(app, make_user(app, is_staff=True, is_superuser=True))
    path = f"/admin/users/{staff.id}/"
    assert superuser.post(path, **superuser.form(path) | {"profile.rating": "3117"}).status_code == 303

    for page in (path, f"{path}history/", "/admin/users/", "/admin/audit/"):
        assert "3117" in superuser.get(page).text, page
        assert "3117" not in staff.get(page).text, page
    assert "profile.rating" not in staff.get(path).text


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_W05_exports_of_the_audit_log_show_staff_of_themselves_what_pages_show(declare: Declare, kind: str) -> None:
    app = declare(BUILT_IN + MORE)
    staff, other = staff_of(app), make_user(app)
    superuser = sign_in_with_cookies(app, make_user(app, is_staff=True, is_superuser=True))
    for user_id, rating in ((staff.id, "3117"), (other, "4228")):
        path = f"/admin/users/{user_id}/"
        typed = {"profile.rating": rating, "profile.city": f"Town {rating}"}
        assert superuser.post(path, **superuser.form(path) | typed).status_code == 303

    own_export = staff.post("/admin/audit/export/", format=kind, query="action=user.changed").text
    export = superuser.post("/admin/audit/export/", format=kind, query="action=user.changed").text

    for text in ("Town 3117", "Town 4228", "4228", "profile.rating"):
        assert text in own_export
    assert own_export.count("profile.rating") == 1
    assert export.count("profile.rating") == 2


def test_W05_removing_a_field_that_only_staff_read_does_not_show_its_name(declare: Declare) -> None:
    app = declare(BUILT_IN + MORE)
    staff, owner = staff_of(app), make_user(app)
    superuser = sign_in_with_cookies(app, make_user(app, is_staff=True, is_superuser=True))
    for user_id in (staff.id, owner):
        path = f"/admin/users/{user_id}/"
        typed = {"profile.rating": "3117", "profile.city": "Bristol", "profile.tax": "DE 999"}
        assert superuser.post(path, **superuser.form(path) | typed).status_code == 303

    later = declare(BUILT_IN.replace("[profile.city]", "") + "[profile.tax]\ntype = 'line'\n")

    for user_id in (staff.id, owner):
        client = sign_in_with_cookies(later, user_id)
        activity = client.client.get("/userapi/auth/activity/").get_json()["results"]
        assert [event["fields"] for event in activity if event["action"] == "user.changed"] == [
            ["profile.city", "profile.tax"]
        ]
        for path in ("/account/activity/", "/userapi/auth/data/"):
            page = client.get(path)
            assert page.status_code == 200
            assert "rating" not in page.text
    assert "rating" not in client_of(later, staff).get(f"/admin/users/{staff.id}/history/").text
    assert "profile.rating" in client_of(later, staff).get(f"/admin/users/{owner}/history/").text
    assert "rating" in client_of(later, superuser).get(f"/admin/users/{staff.id}/history/").text


def client_of(app: Flask, staff: StaffClient) -> StaffClient:
    return sign_in_with_cookies(app, staff.id)


def test_W03_the_browsable_api_has_inputs_for_declared_fields(declare: Declare) -> None:
    app = declare(EVERY_KIND + MORE.replace("[profile.tax]", "[profile.tax_number]"))
    staff, user_id = staff_of(app, profile=None), make_user(app, profile=None)
    path = f"/admin/users/{user_id}/"
    staff.post(path, **staff.form(path) | TYPED)

    page = staff.get(f"/userapi/users/{user_id}/").text
    visitor = app.test_client().get("/userapi/users/", headers={"Accept": "text/html"})

    assert 'name="profile.company"' in page
    assert 'name="profile.topics"' in page
    assert 'value="[&#34;news&#34;, &#34;tips, tricks&#34;]"' in page
    # The forms are made from the public API document, which does not have what only staff see.
    assert 'name="profile.rating"' not in page
    assert "rating" in page
    assert 'name="profile.origin"' in page
    assert visitor.status_code == 401
    sent = app.test_client().post(
        "/userapi/users/",
        data={"email": "x", "profile.topics": ["news", "gossip"], "profile.title": "Dr"},
        headers={"Accept": "text/html"},
    )
    assert 'name="profile.origin"' in sent.text
    assert 'name="profile.rating"' not in sent.text
    assert "[&#34;news&#34;, &#34;gossip&#34;]" in sent.text


def test_W03_a_text_that_staff_did_not_change_is_no_conflict(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    staff, user_id = staff_of(app, profile=None), make_user(app, profile=None)
    path = f"/admin/users/{user_id}/"
    staff.post(path, **staff.form(path) | TYPED)
    opened = staff.form(path) | TYPED
    staff.post(path, **staff.form(path) | TYPED | {"profile.about": "Changed since"})

    page = staff.post(path, **opened | {"first_name": "Robin"})

    assert page.status_code == 409
    assert '<th scope="row">First name</th>' in page.text
    assert '<th scope="row">About</th>' not in page.text
