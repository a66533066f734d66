"""What an extension adds is part of the service: API, pages, staff site, commands, templates, texts."""

import jwt
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import new_user
from tests.support.openapi import documented_operations
from tests.support.staff_client import ACCEPT_HTML, grant_permissions, permission_id, staff_client
from userapi.core.db import db

GERMAN = ACCEPT_HTML | {"Accept-Language": "de"}


def test_W28_an_operation_without_a_mark_rejects_anonymous_callers_with_a_problem(client: FlaskClient) -> None:
    response = client.get("/userapi/shop/basket/")

    assert response.status_code == 401
    assert response.mimetype == "application/problem+json"
    assert response.get_json()["code"] == "not_authenticated"


def test_W28_an_operation_of_an_extension_is_one_of_the_api(app: Flask, user: ApiUser) -> None:
    filled = user.post("/userapi/shop/basket/", json={"items": 4})
    too_many = user.post("/userapi/shop/basket/", json={"items": 6})
    invalid = user.post("/userapi/shop/basket/", json={"items": 0, "more": 1})
    page = user.get("/userapi/shop/basket/", headers={"Accept": "text/html"})

    assert (filled.status_code, filled.get_json()) == (200, {"items": 4})
    assert (too_many.status_code, too_many.get_json()["code"]) == (409, "basket_full")
    assert (invalid.status_code, sorted(invalid.get_json()["errors"])) == (400, ["items", "more"])
    assert "Put items into your own basket" in page.text
    described = {(method, path): found for method, path, found in documented_operations(app)}
    assert described["POST", "/userapi/shop/basket/"]["summary"] == "Put items into your own basket."
    assert described["GET", "/userapi/shop/baskets/{user_id}/"]["security"]
    codes = user.get("/openapi.json").get_json()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert {"basket_full", "no_rivals", "email_taken"} <= set(codes)


def test_W28_an_operation_can_require_a_permission_of_the_extension(
    app: Flask, user: ApiUser, staff: ApiUser, superuser: ApiUser
) -> None:
    path = f"/userapi/shop/baskets/{user.id}/"

    assert [caller.get(path).status_code for caller in (user, staff, superuser)] == [403, 403, 200]
    assert "Baskets: View" in staff.get(path).get_json()["detail"]

    grant_permissions(app, staff.id, "view_basket")

    assert staff.get(path).get_json() == {"items": 0}
    assert user.get(path).status_code == 403


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/shop/", [200, 200, 200, 200]),
        ("/shop/basket/", [401, 200, 200, 200]),
        ("/shop/stock/", [401, 403, 200, 200]),
        ("/shop/prices/", [401, 403, 403, 200]),
    ],
)
def test_W28_views_of_plain_blueprints_are_open_to_whom_their_marks_say(
    app: Flask, client: FlaskClient, user: ApiUser, staff: ApiUser, superuser: ApiUser, path: str, statuses: list[int]
) -> None:
    assert [caller.get(path).status_code for caller in (client, user, staff, superuser)] == statuses


def test_a_page_of_a_plain_blueprint_redirects_browsers_to_the_sign_in(app: Flask, client: FlaskClient) -> None:
    response = client.get("/shop/basket/", headers=ACCEPT_HTML)

    assert (response.status_code, response.headers["Location"]) == (303, "/login/?next=/shop/basket/")


def test_a_page_of_a_plain_blueprint_shows_who_is_signed_in(app: Flask) -> None:
    visitor = staff_client(app)

    menu = visitor.get("/shop/basket/").text.partition("<main")[0]

    assert ("Sign out" in menu, "Sign in" in menu, visitor.csrf in menu) == (True, False, True)


def test_a_form_of_a_plain_blueprint_needs_the_csrf_token(app: Flask) -> None:
    visitor = staff_client(app)
    visitor.client.post("/userapi/shop/basket/", json={"items": 3}, headers={"X-CSRF-TOKEN": visitor.csrf})

    rejected = visitor.post("/shop/basket/empty/", csrf=False)
    before = visitor.get("/shop/basket/").text
    accepted = visitor.post("/shop/basket/empty/")
    after = visitor.get("/shop/basket/").text

    assert (rejected.status_code, accepted.status_code) == (403, 303)
    assert ("There are 3 items in it." in before, "There are 0 items in it." in after) == (True, True)


def test_current_user_is_the_user_of_a_public_view_too(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    by_cookie = staff_client(app)

    assert client.get("/shop/").text == "Hello"
    assert user.get("/shop/").text == f"Hello {user.email}"
    assert by_cookie.get("/shop/").text == f"Hello {by_cookie.email}"
    assert client.get("/shop/", headers={"Authorization": "Bearer x"}).text == "Hello"


def test_a_staff_page_is_in_the_menu_of_those_with_its_permission(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/shop/basket/", json={"items": 4})
    helper, other = staff_client(app, is_staff=True, permissions=["view_basket"]), staff_client(app, is_staff=True)

    page = helper.get("/admin/shop/baskets/")

    assert 'href="/admin/shop/baskets/"' in helper.get("/admin/").text
    assert 'href="/admin/shop/baskets/"' not in other.get("/admin/").text
    assert (page.status_code, user.email in page.text, "Empty the basket" in page.text) == (200, True, False)
    assert other.get("/admin/shop/baskets/").status_code == 403
    assert helper.post("/admin/shop/baskets/empty/", user=str(user.id)).status_code == 403
    assert app.test_client().get("/admin/shop/baskets/", headers=ACCEPT_HTML).status_code == 303


def test_a_form_on_a_staff_page_needs_the_csrf_token(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/shop/basket/", json={"items": 4})
    helper = staff_client(app, is_staff=True, permissions=["change_basket"])

    rejected = helper.post("/admin/shop/baskets/empty/", csrf=False, user=str(user.id))
    kept = user.get("/userapi/shop/basket/").get_json()
    accepted = helper.post("/admin/shop/baskets/empty/", user=str(user.id))

    assert (rejected.status_code, kept) == (403, {"items": 4})
    assert (accepted.status_code, user.get("/userapi/shop/basket/").get_json()) == (303, {"items": 0})


def test_staff_grant_permissions_of_an_extension_to_groups(app: Flask, staff: ApiUser) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    form = superuser.get("/admin/groups/new/").text

    superuser.post("/admin/groups/new/", name="Shop", permissions=str(permission_id(app, "view_basket")))

    assert 'aria-label="View: Baskets"' in form
    assert 'aria-label="Delete: Baskets"' not in form
    assert "Baskets: View" in superuser.get("/admin/groups/").text


def test_a_template_replaces_ours_and_texts_come_from_the_catalogue_of_the_extension(
    app: Flask, client: FlaskClient
) -> None:
    visitor = staff_client(app)

    assert "Welcome to the shop" in client.get("/", headers=ACCEPT_HTML).text
    assert "Willkommen im Laden" in client.get("/", headers=GERMAN).text
    assert "Er enthält 0 Artikel." in visitor.get("/shop/basket/", headers=GERMAN).text


def test_an_extension_does_not_change_the_translations_of_the_service(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)

    page = superuser.get("/admin/groups/new/", headers=GERMAN).text

    assert ("Speichern" in page, "In den Korb legen" in page) == (True, False)


def test_a_command_is_one_of_flask(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/shop/basket/", json={"items": 4})

    done = app.test_cli_runner().invoke(args=["shop", "list"])

    assert (done.exit_code, done.output) == (0, f"{user.id}: 4\n")


def test_an_act_of_an_extension_is_in_the_audit_log(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/shop/basket/", json={"items": 4})
    superuser = staff_client(app, is_staff=True, is_superuser=True)

    assert "shop.filled" in superuser.get("/admin/audit/").text


def test_deleting_a_user_deletes_the_rows_of_extensions(app: Flask, user: ApiUser, superuser: ApiUser) -> None:
    user.post("/userapi/shop/basket/", json={"items": 4})

    deleted = superuser.delete(user.url)

    assert (deleted.status_code, app.test_cli_runner().invoke(args=["shop", "list"]).output) == (204, "")


def test_a_profile_field_of_an_extension_is_one_of_the_profile(user: ApiUser) -> None:
    wrong = user.patch(user.url, json={"profile": {"vat_id": "123"}})
    changed = user.patch(user.url, json={"profile": {"vat_id": "DE123"}})

    assert (wrong.status_code, wrong.get_json()["errors"]) == (
        400,
        {"profile": {"vat_id": ["A VAT ID begins with a country code, such as DE."]}},
    )
    assert (changed.status_code, changed.get_json()["profile"]["vat_id"]) == (200, "DE123")


def test_a_rule_of_an_extension_denies_a_registration(client: FlaskClient) -> None:
    response = client.post("/userapi/users/", json=new_user(email="ada@rival.example"))

    assert (response.status_code, response.get_json()["code"]) == (403, "no_rivals")
    assert response.get_json()["errors"] == {"email": ["We do not accept addresses of this shop."]}


def test_subscribers_of_an_extension_write_with_an_act_and_after_it(
    app: Flask, user: ApiUser, superuser: ApiUser
) -> None:
    user.post("/userapi/shop/basket/", json={"items": 2})
    bought = user.post("/userapi/shop/orders/")
    user.post("/userapi/shop/orders/")
    assert count(app, "shop_baskets") == 2  # one for each user, opened in the transaction of the registration

    superuser.delete(user.url)
    kept = count(app, "shop_orders")
    app.test_cli_runner().invoke(args=["notices", "deliver"])

    assert (bought.status_code, bought.get_json()) == (201, {"items": 2})
    assert (kept, count(app, "shop_orders")) == (2, 0)


def test_an_email_of_an_extension_is_sent_with_its_own_templates(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/shop/basket/", json={"items": 2})
    user.post("/userapi/shop/orders/")

    with app.app_context():
        found = db.session.execute(sa.text("SELECT kind, recipient, subject, text FROM messages"))
        (email,) = [row for row in found if row.kind == "shop_bought"]

    assert (email.recipient, email.subject) == (user.email, "Your order")
    assert "You have bought 2 items." in email.text


def test_claims_of_an_extension_are_in_access_tokens(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/shop/basket/", json={"items": 2})

    token = sign_in(app, user.email)["access_token"]

    assert jwt.decode(token, options={"verify_signature": False})["basket"] == 2


def test_the_download_of_an_account_has_what_extensions_store(app: Flask, user: ApiUser) -> None:
    user.post("/userapi/shop/basket/", json={"items": 2})
    user.post("/userapi/shop/orders/")

    downloaded = user.get("/userapi/auth/data/").get_json()

    assert downloaded["extensions"] == {"shop": {"items": 0, "orders": [2]}}


def count(app: Flask, table: str) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0)
