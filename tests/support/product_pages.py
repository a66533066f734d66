"""Every page of the product, a running service that has something to show on each, and a browser signed in to it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page

from tests.support import commands, http_server, servers
from tests.support.browser import TIMEOUT, BrowserPage, Site
from tests.support.factories import PASSWORD
from tests.support.own_fields import EVERY_FIELD
from tests.support.product_data import CAREFUL, PROVIDER, fill

Step = Callable[[Page], object]


@dataclass(frozen=True)
class ProductPage:
    """A page.

    Attributes:
        path: with the names of records in braces, as in `/admin/users/{user}/`.
        identity: who opens it: a visitor, the owner of an account, one without a profile, one whose sign-in was long
            ago, staff, or a session of staff in which they act as a user; it has one page, which replaces its cookies.
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


def send_wrong_mailed_code(page: Page) -> None:
    """Request a code by email, and send a wrong one."""
    submit(FORM, email=CAREFUL)(page)
    submit_wrong('form[action="/login/code/sent/"]', code="wrong")(page)


def confirm_bulk_action(page: Page) -> None:
    """Choose two users and an action that must be confirmed."""
    for box in page.locator("input[name=user]").all()[:2]:
        box.check()
    press("button[value=deactivate]")(page)


def create_key(page: Page) -> None:
    """Create an API key with a scope."""
    page.locator('input[name="scopes.profile"]').check()
    submit('form[action="/account/keys/new/"]', name="Import")(page)


def open_with_ticket(path: str, ticket: str) -> Step:
    """Open a page with a ticket of a provider, which `_add_identities` has stored."""

    def step(page: Page) -> None:
        url = urljoin(page.url, path)
        page.context.add_cookies([{"name": "provider_ticket", "value": ticket, "url": url}])
        page.goto(url)

    return step


IMPERSONATION = "form:has([name=reason])"
FORM = "main form:has([type=email], [type=password])"
PROOF = 'form[action="/prove/"]'

#: THE list: a new page is added here, and nowhere else.
PAGES = [
    *_pages(
        "visitor", "account", "/", "/login/", "/login/?next=/admin/", "/login/code/", "/logout/", "/register/",
        "/password_reset/", "/password_reset/done/", "/reset/done/", "/verify-email/", "/verify-email/sent/",
        "/undo-email-change/done/", "/account-closed/",
        "{restore_link}", "{reset_link}", "{verification_link}", "{invitation_link}",
    ),
    *_pages(
        "visitor", "account", "/reset/1/nothing/", "/invitation/nothing/", "/verify-email/nothing/",
        "/undo-email-change/nothing/", "/sign-in/nothing/", "/restore-account/nothing/", status=400,
    ),
    *_pages("visitor", "account", "/nothing/", status=404),
    *_pages("visitor", "account", "/password-strength/", status=405),
    ProductPage("/login/", "visitor", "account", 200,
                submit_wrong(FORM, email="unknown@example.com", password="1"), "sign-in with an error"),
    ProductPage("/login/code/", "visitor", "account", 200, submit(FORM, email=CAREFUL), "code from an email"),
    ProductPage("/login/code/", "visitor", "account", 200, send_wrong_mailed_code, "code from an email with an error"),
    ProductPage("{invitation_link}", "visitor", "account", 200,
                submit_wrong(FORM, password="12345678"), "invitation with an error"),
    ProductPage("/register/", "visitor", "account", 200,
                submit_wrong(FORM, email="invalid", password="1"), "registration with errors"),
    *_pages(
        "owner", "account", "/", "/account/", "/account/security/", "/account/devices/", "/account/activity/",
        "/account/keys/", "/account/keys/new/",
        "/account/data/", "/account/close/", "/password_change/", "/password_change/done/", "/logout/",
        "/login/?next=/account/",
        "/account/apps/", "{authorization}", "/device/", "{device}", "/device/done/", "/oauth/logout/",
    ),
    *_pages("visitor", "account", "/oauth/authorize/", status=400),
    *_pages("owner", "account", "/oauth/consent/nothing/", status=410),
    *_pages("owner", "account", "/device/BCDF-GHJK/", status=404),
    ProductPage("/account/keys/new/", "owner", "account", 200,
                submit('form[action="/account/keys/new/"]', name="Nightly report of the finance team"),
                "new API key with an error"),
    ProductPage("/account/keys/new/", "owner", "account", 200, create_key, "API key that is shown once"),
    ProductPage("/login/?next=/account/data/", "visitor", "account", 200,
                submit(FORM, email=CAREFUL, password=PASSWORD), "second step of a sign-in"),
    ProductPage("/login/", "visitor", "account", 200, choose_recovery_code, "second step by a recovery code"),
    ProductPage("/login/", "visitor", "account", 200, send_wrong_code, "second step with an error"),
    *_pages("returning", "account", "/prove/?next=/account/"),
    ProductPage("/prove/", "returning", "account", 200, submit_wrong(PROOF, password="1"), "proof with an error"),
    *_pages("visitor", "account", "/auth/callback/acme/?state=unknown", status=400),
    ProductPage("/login/", "visitor", "account", 200, open_with_ticket("/register/acme/", "registration"),
                "registration with a provider"),
    ProductPage("/login/", "visitor", "account", 200, open_with_ticket("/link/acme/", "proof"), "proof of an account"),
    ProductPage("/login/", "visitor", "account", 200, open_with_ticket("/link/acme/", "claim"), "claim of an account"),
    *_pages("owner", "account", "/account/invitations/"),  # whose email address is not confirmed
    *_pages("staff", "account", "/account/security/app/", "/account/invitations/"),
    ProductPage("/account/invitations/", "staff", "account", 200,
                submit_wrong('form[action="/account/invitations/"]', email="invalid"),
                "invitation by a user with an error"),
    ProductPage("/account/security/app/", "staff", "account", 200,
                submit('form[action="/account/security/app/"]', name="Phone"), "app that is set up"),
    *_pages("staff", "account", "/register/profile/"),  # this account has no profile yet
    *_pages("incomplete", "account", "/account/complete/", "/account/"),
    ProductPage("/account/complete/", "incomplete", "account", 200,
                submit_wrong('form[action="/account/complete/"]', **{"profile.company": "", "profile.dob": ""}),
                "missing fields with an error"),
    *_pages("owner", "account", "/nothing/", status=404),
    *_pages("owner", "staff", "/admin/", status=403),
    *_pages(
        "staff", "staff", "/admin/", "/admin/users/", "/admin/users/?is_active=true&search=e&is_staff=wrong",
        "/admin/users/?search=nothing-to-find", "/admin/users/new/",
        "/admin/users/{user}/", "/admin/users/{user}/access/", "/admin/users/{user}/sessions/",
        "/admin/users/{user}/emails/", "/admin/users/{user}/factors/", "/admin/users/{user}/identities/",
        "/admin/users/{user}/keys/",
        "/admin/users/{user}/history/", "/admin/users/{user}/password/",
        "/admin/users/{user}/delete/", "/admin/users/{user}/hold/", "/admin/leaving/",
        "/admin/users/{closed}/restore-links/",
        "/admin/invitations/", "/admin/invitations/?state=expired", "/admin/invitations/new/",
         "/admin/groups/", "/admin/groups/new/", "/admin/groups/{group}/",
        "/admin/groups/{group}/members/",
        "/admin/service-accounts/", "/admin/groups/{own_group}/delete/", "/admin/sessions/",
        "/admin/emails/", "/admin/emails/{email}/", "/admin/emails/test/", "/admin/audit/", "/admin/audit/{event}/",
        "/admin/imports/", "/admin/imports/new/", "/admin/imports/{import}/", "/admin/bulk/", "/admin/bulk/{bulk}/",
        "/admin/system/", "/admin/providers/", "/admin/webhooks/", "/admin/webhooks/new/",
        "{webhook}", "{webhook}edit/",
        "{webhook}secret/", "{webhook}replay/", "{webhook}delete/", "{webhook}deliveries/{delivery}/",
        "/admin/clients/", "/admin/clients/new/", "/admin/clients/new/web/", "/admin/clients/new/machine/",
        "/admin/clients/{client}/", "/admin/clients/{client}/edit/", "/admin/clients/{client}/secret/",
        "/admin/clients/{client}/delete/",
    ),
    ProductPage("/admin/clients/new/web/", "staff", "staff", 200,
                submit_wrong("main form:has(#redirect_uris)", name="Shop", redirect_uris="http://shop.example.com/"),
                "new client application with an error"),
    ProductPage("/admin/clients/{client}/secret/", "staff", "staff", 200, submit("main form:has(#grace)"),
                "client secret that is shown once"),
    *_pages("staff", "staff", "/admin/users/{incomplete}/impersonate/"),
    ProductPage("/admin/users/{user}/impersonate/", "impersonator", "account", 200,
                submit(IMPERSONATION, reason="Ticket 4711: the order is missing"), "account that staff look at"),
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

IDENTITIES = ("visitor", "owner", "incomplete", "returning", "staff", "impersonator")
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
    cookies: dict[str, list[Any]]

    def path(self, page: ProductPage) -> str:
        return page.path.format_map(self.records)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The service with a few users, and at least one record of every kind."""
    folder = tmp_path_factory.mktemp("product")
    declaration = folder / "fields.toml"
    declaration.write_text(EVERY_FIELD)
    with servers.smtp_sink() as sink:
        settings = {
            "MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "RATELIMIT_ENABLED": "false", "WORKERS": "1",
            "SUPPORT_EMAIL": "help@example.com", "FRESH_PROOF_LIFETIME": "3600", "IMPERSONATION": "true", **PROVIDER,
            "INVITES_PER_USER": "9", "OPENID_DEVICE_LIFETIME": "3600",
            "PROFILE_FIELDS": str(declaration),
        }  # fmt: skip
        environment = commands.environment(f"sqlite:///{folder}/site.db", folder, **settings)
        with http_server.run_server(folder, environment) as server:
            database = folder / "site.db"
            yield Product(server.url, database, *fill(Site(server.url, sink, server.environment), database))


@pytest.fixture
def look(chromium: Browser, product: Product) -> Callable[..., Any]:
    """Opens a browser with the session of an identity: `with look("staff", locale="ar") as browser`."""

    @contextmanager
    def open_browser(identity: str, **options: Any) -> Iterator[BrowserPage]:
        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(TIMEOUT)
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
