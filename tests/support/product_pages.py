"""Every page of the product, a running service that has something to show on each, and a browser signed in to it."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page

import config
from tests.support import commands, http_server, servers
from tests.support.browser import BrowserPage, Site
from tests.support.databases import close_app
from tests.support.factories import PASSWORD, PROFILE, make_user
from tests.support.second_factors import set_up_app
from userapi.app import create_app

STAFF = "ottoline.fairweather@customers.example.com"
#: An owner whose second step is on.
CAREFUL = "careful@example.com"
OWNER = "looks.with.a.rather.long.name.before.the.at.sign@department.example.com"
#: A file with one user, one error and one existing user.
USERS_CSV = f"email,first_name\nimported@example.com,Ada\ninvalid,Grace\n{OWNER},Wren\n"

Step = Callable[[Page], object]


@dataclass(frozen=True)
class ProductPage:
    """A page.

    Attributes:
        path: with the names of records in braces, as in `/admin/users/{user}/`.
        identity: who opens it: a visitor, the owner of an account, one whose sign-in was long ago, or staff.
        status: of the response.
        then: what is done on the page to get to what is tested.
        door: the part of the product it belongs to.
    """

    path: str
    identity: str
    door: str
    status: int = 200
    then: Step | None = None
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.path


def _pages(identity: str, door: str, *paths: str, status: int = 200) -> list[ProductPage]:
    return [ProductPage(path, identity, door, status) for path in paths]


def press(selector: str) -> Step:
    """Press a button, and wait for the page it leads to."""

    def step(page: Page) -> None:
        with page.expect_navigation():
            page.locator(selector).first.click()

    return step


def submit_wrong(form: str, **fields: str) -> Step:
    """Send a form with these fields without the checks of the browser."""

    def step(page: Page) -> None:
        page.locator(form).evaluate("form => { form.noValidate = true }")
        for name, text in fields.items():
            page.locator(f'{form} [name="{name}"]').fill(text)
        with page.expect_navigation():
            page.locator(f"{form} button[type=submit]:not([data-shows])").last.click()

    return step


def submit(form: str, **fields: str) -> Step:
    """Send a form with these fields."""
    return submit_wrong(form, **fields)


def choose_recovery_code(page: Page) -> None:
    """Do the first step of a sign-in, and choose a recovery code for the second."""
    submit(FORM, email=CAREFUL, password=PASSWORD)(page)
    press('a[href*="recovery"]')(page)


def send_wrong_code(page: Page) -> None:
    """Do the first step of a sign-in, and send a wrong code."""
    submit(FORM, email=CAREFUL, password=PASSWORD)(page)
    submit_wrong('form[action^="/login/second-step/"]', code="wrong")(page)


def confirm_bulk_action(page: Page) -> None:
    """Choose two users and an action that must be confirmed."""
    for box in page.locator("input[name=user]").all()[:2]:
        box.check()
    press("button[value=deactivate]")(page)


FORM = "main form:has([type=email], [type=password])"
PROOF = 'form[action="/prove/"]'

#: THE list: a new page is added here, and nowhere else.
PAGES = [
    *_pages(
        "visitor", "account", "/", "/login/", "/login/?next=/admin/", "/logout/", "/register/", "/password_reset/",
        "/password_reset/done/", "/reset/done/", "/verify-email/", "/verify-email/sent/", "/undo-email-change/done/",
        "{reset_link}", "{verification_link}",
    ),
    *_pages(
        "visitor", "account", "/reset/1/nothing/", "/invitation/1/nothing/", "/verify-email/nothing/",
        "/undo-email-change/nothing/", status=400,
    ),
    *_pages("visitor", "account", "/nothing/", status=404),
    *_pages("visitor", "account", "/password-strength/", status=405),
    ProductPage("/login/", "visitor", "account", 200,
                submit_wrong(FORM, email="unknown@example.com", password="1"), "sign-in with an error"),
    ProductPage("/register/", "visitor", "account", 200,
                submit_wrong(FORM, email="invalid", password="1"), "registration with errors"),
    *_pages(
        "owner", "account", "/", "/account/", "/account/security/", "/account/devices/", "/account/activity/",
        "/account/data/", "/password_change/", "/password_change/done/", "/logout/",
        "/login/?next=/account/",
    ),
    ProductPage("/login/?next=/account/data/", "visitor", "account", 200,
                submit(FORM, email=CAREFUL, password=PASSWORD), "second step of a sign-in"),
    ProductPage("/login/", "visitor", "account", 200, choose_recovery_code, "second step by a recovery code"),
    ProductPage("/login/", "visitor", "account", 200, send_wrong_code, "second step with an error"),
    *_pages("returning", "account", "/prove/?next=/account/"),
    ProductPage("/prove/", "returning", "account", 200, submit_wrong(PROOF, password="1"), "proof with an error"),
    *_pages("staff", "account", "/account/security/app/"),
    ProductPage("/account/security/app/", "staff", "account", 200,
                submit('form[action="/account/security/app/"]', name="Phone"), "app that is set up"),
    *_pages("staff", "account", "/register/profile/"),  # this account has no profile yet
    *_pages("owner", "account", "/nothing/", status=404),
    *_pages("owner", "staff", "/admin/", status=403),
    *_pages(
        "staff", "staff", "/admin/", "/admin/users/", "/admin/users/?is_active=true&search=e&is_staff=wrong",
        "/admin/users/?search=nothing-to-find", "/admin/users/new/",
        "/admin/users/{user}/", "/admin/users/{user}/access/", "/admin/users/{user}/sessions/",
        "/admin/users/{user}/emails/", "/admin/users/{user}/factors/",
        "/admin/users/{user}/history/", "/admin/users/{user}/password/",
        "/admin/users/{user}/delete/", "/admin/groups/", "/admin/groups/new/", "/admin/groups/{group}/",
        "/admin/groups/{group}/members/", "/admin/groups/{own_group}/delete/", "/admin/sessions/",
        "/admin/emails/", "/admin/emails/{email}/", "/admin/emails/test/", "/admin/audit/", "/admin/audit/{event}/",
        "/admin/imports/", "/admin/imports/new/", "/admin/imports/{import}/", "/admin/bulk/", "/admin/bulk/{bulk}/",
        "/admin/system/",
    ),
    *_pages("staff", "staff", "/admin/nothing/", "/admin/users/987654321/", status=404),
    ProductPage("/admin/users/", "staff", "staff", 200, confirm_bulk_action, "confirmation of a bulk action"),
    ProductPage("/admin/users/new/", "staff", "staff", 200,
                submit_wrong("main form:has(#email)", email="invalid"), "new user with an error"),
    *_pages("visitor", "api", "/userapi/", "/userapi/auth/"),
    *_pages("visitor", "api", "/userapi/auth/login/", status=405),
    *_pages("visitor", "api", "/userapi/users/", status=401),
    *_pages("visitor", "api", "/userapi/nothing/", status=404),
    *_pages(
        "staff", "api", "/userapi/users/?limit=2", "/userapi/users/{user}/", "/userapi/auth/user/",
        "/userapi/auth/sessions/", "/userapi/auth/activity/",
    ),
    *_pages("staff", "api", "/userapi/users/987654321/", status=404),
    *_pages("visitor", "docs", "/docs/", "/docs/try/"),
]  # fmt: skip

IDENTITIES = ("visitor", "owner", "returning", "staff")
DOORS = ("account", "staff", "api", "docs")


@dataclass
class Product:
    """The running service.

    Attributes:
        records: what the braces in the paths of pages stand for.
        cookies: the session of each identity.
    """

    url: str
    database: Path
    records: dict[str, str]
    cookies: dict[str, list[Any]] = field(default_factory=dict)

    def path(self, page: ProductPage) -> str:
        return page.path.format_map(self.records)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The service with a few users, and at least one record of every kind."""
    folder = tmp_path_factory.mktemp("product")
    with servers.smtp_sink() as sink:
        settings = {
            "MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "RATELIMIT_ENABLED": "false", "WORKERS": "1",
            "SUPPORT_EMAIL": "help@example.com", "FRESH_PROOF_LIFETIME": "3600",
        }  # fmt: skip
        environment = commands.environment(f"sqlite:///{folder}/site.db", folder, **settings)
        with http_server.run_server(folder, environment) as server:
            yield _fill(Site(server.url, sink, server.environment), folder / "site.db")


def _fill(site: Site, database: Path) -> Product:
    for arguments in (
        ("seed", "12", "--with-activity", "--random-seed", "7", "--password", PASSWORD),
        ("create", "--email", STAFF, "--first-name", "Ottoline", "--last-name", "Fairweather"),
        ("promote", STAFF, "--superuser"),
    ):
        run = commands.run(*commands.FLASK, "users", *arguments, env=site.environment | {"USER_PASSWORD": PASSWORD})
        assert run.code == 0, run.errors
    registration = {"email": OWNER, "password": PASSWORD, "first_name": "Wren", "profile": PROFILE}
    assert requests.post(f"{site.url}/userapi/users/", json=registration, timeout=10).status_code == 201
    owner, returning, staff = (_sign_in(site.url, email) for email in (OWNER, OWNER, STAFF))
    _send(staff, f"{site.url}/admin/groups/new/", name="Readers of accounts")
    _send(staff, f"{site.url}/admin/users/filters/", at="/admin/users/", name="Inactive", query="is_active=false")
    _send(staff, f"{site.url}/admin/imports/new/", files={"file": ("users.csv", USERS_CSV)}, dry_run="true",
          on_conflict="skip", on_bad_profile="leave-out-field")  # fmt: skip
    reset = {"email": OWNER}
    requests.post(f"{site.url}/userapi/auth/password/reset/", json=reset, timeout=10)
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO bulk_jobs "
            "(action, query, total, done, left_out, attempts, state, actor_id, created_at, finished_at) "
            "SELECT 'deactivate', 'search=e', 12, 11, 1, 1, 'done', id, datetime(), datetime() "
            "FROM users WHERE email = ?", [STAFF],
        )  # fmt: skip
        connection.execute(
            "UPDATE login_sessions SET proved_at = '2026-01-01 00:00:00' WHERE id = (SELECT login_sessions.id "
            "FROM login_sessions JOIN users ON users.id = user_id WHERE email = ? ORDER BY created_at DESC LIMIT 1)",
            [OWNER],
        )
        records = {
            name: str(connection.execute(query).fetchone()[0])
            for name, query in {
                "user": f"SELECT id FROM users WHERE email = '{OWNER}'",
                "group": "SELECT min(id) FROM groups",
                "own_group": "SELECT max(id) FROM groups",
                "email": "SELECT max(id) FROM messages",
                "event": "SELECT max(id) FROM audit_events WHERE changes IS NOT NULL",
                "import": "SELECT max(id) FROM import_jobs",
                "bulk": "SELECT max(id) FROM bulk_jobs",
            }.items()
        }
    connection.close()
    _set_up_second_step(site)
    records["reset_link"] = site.link(OWNER, "Reset your password").removeprefix(site.url)
    records["verification_link"] = site.link(OWNER, "Confirm your email address").removeprefix(site.url)
    product = Product(site.url, database, records, {"visitor": []})
    for identity, session in (("owner", owner), ("returning", returning), ("staff", staff)):
        product.cookies[identity] = [
            {"name": cookie.name, "value": cookie.value, "url": site.url} for cookie in session.cookies
        ]
    return product


def _set_up_second_step(site: Site) -> None:
    app = create_app(config.load(site.environment))
    set_up_app(app, make_user(app, email=CAREFUL))
    close_app(app)


def _sign_in(url: str, email: str) -> requests.Session:
    session = requests.Session()
    session.headers["Accept"] = "text/html"
    body = {"email": email, "password": PASSWORD, "cookies": True}
    response = session.post(f"{url}/userapi/auth/login/", json=body, headers={"Accept": "application/json"}, timeout=10)
    assert response.status_code == 200, response.text
    return session


def _send(session: requests.Session, url: str, at: str = "", files: Any = None, **fields: str) -> None:
    """Send a form as the page with it would."""
    page = session.get(url.split("/admin/")[0] + at if at else url, timeout=10).text
    for name in ("csrf_token", "form_id"):
        found = re.search(rf'name="{name}" value="([^"]+)"', page)
        assert found, (url, name)
        fields[name] = found[1]
    response = session.post(url, data=fields, files=files, timeout=10)
    assert response.status_code == 200, (url, response.status_code, response.text)


@pytest.fixture
def look(chromium: Browser, product: Product) -> Callable[..., Any]:
    """Opens a browser with the session of an identity: `with look("staff", locale="ar") as browser`."""

    @contextmanager
    def open_browser(identity: str, **options: Any) -> Iterator[BrowserPage]:
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(20_000)
        if product.cookies[identity]:
            context.add_cookies(json.loads(json.dumps(product.cookies[identity])))
        yield BrowserPage(context.new_page(), product.url)
        context.close()

    return open_browser


def open_page(browser: BrowserPage, product: Product, page: ProductPage) -> None:
    """Open a page, check its status, and do what leads to what is tested."""
    response = browser.page.goto(product.url + product.path(page))
    assert response is not None
    assert response.status == page.status, (str(page), response.status)
    if page.then:
        page.then(browser.page)
