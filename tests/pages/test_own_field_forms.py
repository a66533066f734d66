"""Fields of profiles that the deployer declared, in the forms of the pages for users."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

from flask import Flask

from tests.support.factories import PASSWORD, PROFILE, make_user, sequence
from tests.support.form_browser import FormBrowser
from tests.support.own_fields import EVERY_KIND, VALUES
from tests.support.staff_client import StaffClient, sign_in_with_cookies

Declare = Callable[..., Flask]

ACCOUNT, FIRST, COMPLETE = "/account/", "/register/profile/", "/account/complete/"

#: What a browser sends for the values of `VALUES`.
TYPED: dict[str, Any] = {
    **VALUES,
    "about": VALUES["about"].replace("\n", "\r\n"),
    "newsletter": "true",
    "opened": "2026-11-29T08:30:00.250",
    "mobile": "+44 20 7946 0018",
}
#: The same as the API shows it.
SHOWN = VALUES | {"opened": "2026-11-29T08:30:00.250000Z"}

BUILT_IN = "".join(f"[profile.{name}]\n" for name in PROFILE)
BOXES = {"checkboxes": "profile.newsletter profile.topics"}


def fields_of(values: dict[str, Any]) -> dict[str, Any]:
    return {f"profile.{name}": value for name, value in values.items()}


def profile_of(browser: StaffClient) -> Any:
    return browser.client.get("/userapi/auth/user/").get_json()["profile"]


def tags(text: str, name: str) -> list[str]:
    """The inputs of a field."""
    return re.findall(rf'<(?:input|select|textarea)[^>]* name="profile\.{name}"[^>]*>', text)


def test_W03_every_kind_can_be_typed_in_and_is_shown_again(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    browser = sign_in_with_cookies(app, make_user(app, profile=None))
    types = {name: tags(browser.get(FIRST).text, name)[0] for name in VALUES}

    saved = browser.post(FIRST, **BOXES, **fields_of(TYPED))

    assert saved.status_code == 303
    assert profile_of(browser) == SHOWN
    assert re.search(r'inputmode="numeric"', types["employees"])
    assert re.search(r'type="text".*inputmode="decimal"', types["budget"])
    assert 'type="datetime-local"' in types["opened"]
    assert [types[name].partition(" ")[0] for name in ("about", "size", "seat")] == ["<textarea", "<select", "<select"]
    page = browser.get(ACCOUNT).text
    assert 'value="Okafor &amp; Söhne"' in page
    assert '<option value="large" selected>' in page
    assert '<option value="GB" selected>United Kingdom' in page
    assert sum(" checked" in tag for tag in tags(page, "topics")) == 2
    assert " checked" in tags(page, "newsletter")[0]
    assert 'value="2026-11-29T08:30:00.250"' in tags(page, "opened")[0]
    about = re.search(r'name="profile.about"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert about
    assert unescape(about[1]) == VALUES["about"]


def test_W03_a_form_that_is_sent_unchanged_changes_nothing(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    browser = sign_in_with_cookies(app, make_user(app, profile=None))
    browser.client.patch(
        "/userapi/auth/user/",
        json={"profile": SHOWN | {"opened": "2026-11-29T08:30:00.250001Z"}},
        headers={"X-CSRF-TOKEN": browser.csrf},
    )
    before = profile_of(browser)
    assert before["opened"] == "2026-11-29T08:30:00.250001Z"

    form = fields_of(TYPED)
    assert browser.post(ACCOUNT, **BOXES, **form).status_code == 303

    assert profile_of(browser) == before


def test_W03_unchecked_boxes_are_sent_by_name(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    browser = sign_in_with_cookies(app, make_user(app, profile=None))
    browser.post(FIRST, **BOXES, **fields_of(TYPED))
    without = fields_of({name: text for name, text in TYPED.items() if name not in ("newsletter", "topics")})

    assert browser.post(ACCOUNT, **without).status_code == 303
    of_an_older_page = profile_of(browser)
    assert browser.post(ACCOUNT, **BOXES, **without).status_code == 303

    assert (of_an_older_page["newsletter"], of_an_older_page["topics"]) == (True, ["news", "tips, tricks"])
    assert (profile_of(browser)["newsletter"], profile_of(browser)["topics"]) == (False, None)


def test_W03_a_rejected_form_is_shown_with_what_was_typed_and_errors_beside_the_fields(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    browser = sign_in_with_cookies(app, make_user(app, profile=None))
    wrong = {"employees": "many", "topics": ["news", "gossip"], "mobile": "12", "company": "<b>", "size": "large"}

    page = browser.post(FIRST, checkboxes="profile.newsletter profile.topics", **fields_of(wrong))

    assert page.status_code == 400
    for name in ("employees", "topics", "mobile"):
        assert f'id="profile-{name}-error"' in page.text
        assert f'href="#profile-{name}"' in page.text
    assert 'value="many"' in tags(page.text, "employees")[0]
    assert 'value="&lt;b&gt;"' in tags(page.text, "company")[0]
    assert '<option value="large" selected>' in page.text
    assert [" checked" in tag for tag in tags(page.text, "topics")] == [True, False, False, True]
    assert profile_of(browser) is None


def test_W03_labels_are_in_the_language_of_the_page(declare: Declare) -> None:
    app = declare(EVERY_KIND)
    browser = sign_in_with_cookies(app, make_user(app))

    german, arabic = browser.get(f"{ACCOUNT}?lang=de").text, browser.get(f"{ACCOUNT}?lang=ar").text

    assert re.search(r">Firma <", german)
    assert "<bdi>Neues</bdi></label>" in german
    assert ">Vereinigtes Königreich</option>" in german
    assert re.search(r">Company <", arabic)


def test_W03_a_registration_has_the_declared_fields(declare: Declare) -> None:
    app = declare(
        f'{BUILT_IN}[profile.company]\ntype = "line"\nrequired = "new"\n'
        '[profile.note]\ntype = "line"\nwrite = "staff"\n'
    )
    browser = FormBrowser(app)
    browser.send("/register/", {"email": f"new{next(sequence)}@example.com", "password": PASSWORD})
    page = browser.get(FIRST)
    names = re.findall(r'name="profile\.(\w+)"', page.text)

    rejected = browser.send(FIRST, fields_of(PROFILE) | {"profile.company": ""})
    saved = browser.send(FIRST, fields_of(PROFILE) | {"profile.company": "Okafor"})

    assert names == [*PROFILE, "company"]
    assert (rejected.status_code, 'id="profile-company-error"' in rejected.text) == (400, True)
    assert saved.status_code == 303


def test_W05_W06_owners_see_no_field_of_staff_and_change_none_that_only_staff_write(declare: Declare) -> None:
    app = declare(
        f'{BUILT_IN}[profile.rating]\ntype = "integer"\nread = "staff"\nwrite = "staff"\n'
        '[profile.level]\ntype = "choice"\noptions = ["gold", "silver"]\nwrite = "staff"\n'
        '[profile.origin]\ntype = "line"\nwrite = "once"\n'
    )
    owner_id = make_user(app)
    owner = sign_in_with_cookies(app, owner_id)
    staff = sign_in_with_cookies(app, make_user(app, is_staff=True))
    form = staff.form(f"/admin/users/{owner_id}/")

    changed = staff.post(
        f"/admin/users/{owner_id}/",
        **form | {"profile.rating": "3117", "profile.level": "gold", "profile.origin": "fair"},
    )

    assert changed.status_code == 303, changed.text
    page = owner.get(ACCOUNT).text
    assert "rating" not in page
    assert "3117" not in page
    activity = owner.get("/account/activity/").text
    assert "Level" in activity
    assert "Rating" not in activity
    assert "profile.rating" not in owner.client.get("/userapi/auth/activity/").text
    assert '<option value="gold" selected>' in page
    assert " disabled" in tags(page, "level")[0]
    assert " disabled" in tags(page, "origin")[0]
    assert owner.post(ACCOUNT, **{"profile.level": "gold"}).status_code == 303
    assert owner.post(ACCOUNT, **{"profile.level": "silver"}).status_code == 400
    assert owner.post(ACCOUNT, **{"profile.rating": "3117"}).status_code == 400
    own_page = staff.get(f"/admin/users/{staff.id}/").text
    assert "profile.rating" not in own_page
    assert 'name="profile.rating"' in staff.get(f"/admin/users/{owner_id}/").text
