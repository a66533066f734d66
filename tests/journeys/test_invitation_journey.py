"""Inviting someone on the staff site, and accepting the invitation, in a real browser."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support import commands, http_server, servers
from tests.support.browser import PHONE, BrowserPage, Site

STAFF, MEMBER, GUEST = "ottoline@example.com", "wren@example.com", "mia@example.com"
PASSWORD = "velvet tram outside 7"


@pytest.fixture(scope="module")
def invited_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service for invited users who accept terms."""
    folder = tmp_path_factory.mktemp("site")
    with servers.smtp_sink() as sink:
        settings = {
            "MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "RATELIMIT_ENABLED": "false", "WORKERS": "1",
            "REGISTRATION": "invited", "INVITES_PER_USER": "2", "TERMS_VERSION": "2026-11", "TERMS_URL": "https://example.com/terms",
        }  # fmt: skip
        environment = commands.environment(f"sqlite:///{folder}/site.db", folder, **settings)
        with http_server.run_server(folder, environment) as server:
            made = commands.run(
                *commands.FLASK, "users", "create-superuser", "--email", STAFF,
                env=server.environment | {"USER_PASSWORD": PASSWORD},
            )  # fmt: skip
            assert made.code == 0, made.errors
            yield Site(server.url, sink, server.environment)


def check_look(browser: BrowserPage, name: str) -> None:
    browser.shoot(name)
    assert browser.violations() == [], name
    assert not browser.overflows(), name


def test_staff_invite_and_the_guest_accepts_without_scripts(watch: Callable[..., Any], invited_site: Site) -> None:
    with watch(invited_site.url) as staff:
        staff.go("/login/?next=/admin/invitations/")
        staff.fill(email=STAFF, password=PASSWORD)
        staff.press("Sign in")
        check_look(staff, "invitations-none")
        staff.page.get_by_role("link", name="Invite").first.click()
        staff.fill(email=GUEST, first_name="Mia")
        staff.page.get_by_label("Message").fill("See you on Monday!")
        check_look(staff, "invitation-new")
        staff.press("Send invitation")
        check_look(staff, "invitations-pending")
        path = invited_site.link(GUEST, f"You have been invited to {urlsplit(invited_site.url).netloc}").removeprefix(
            invited_site.url
        )

        with watch(invited_site.url, viewport=PHONE, java_script_enabled=False) as guest:
            guest.go("/register/")
            assert "You need an invitation" in guest.page.content()
            guest.go(path)
            assert guest.page.url == f"{invited_site.url}/invitation/accept/"
            guest.fill(password=PASSWORD)
            guest.press("Create account and sign in")
            assert "Accept the terms to create an account." in guest.page.content()
            guest.page.get_by_label("I accept the").check()
            guest.fill(password=PASSWORD)
            guest.press("Create account and sign in")
            assert guest.page.url.endswith("/register/profile/")
            guest.go("/account/data/")
            assert "You accepted version 2026-11" in guest.page.content()

        staff.go("/admin/invitations/")
        check_look(staff, "invitations-accepted")
        assert "Accepted" in staff.page.content()
        staff.page.get_by_role("link", name=GUEST).click()
        assert "Terms accepted" in staff.page.content()


def test_a_user_invites_someone_sends_it_again_and_revokes_it(watch: Callable[..., Any], invited_site: Site) -> None:
    made = commands.run(
        *commands.FLASK, "users", "create", "--email", MEMBER,
        env=invited_site.environment | {"USER_PASSWORD": PASSWORD},
    )  # fmt: skip
    assert made.code == 0, made.errors
    with watch(invited_site.url, viewport=PHONE, color_scheme="dark") as member:
        member.go("/login/?next=/account/")
        member.fill(email=MEMBER, password=PASSWORD)
        member.press("Sign in")
        member.page.get_by_role("link", name="Invitations").click()
        check_look(member, "own-invitations-none")
        member.fill(email="a.friend.with.a.long.address@subsidiary.example.com")
        member.press("Send invitation")
        assert "You can send 1 more invitation." in member.page.content()
        check_look(member, "own-invitations-pending")
        member.press("Send again")
        assert "Earlier links no longer work." in member.page.content()
        member.press("Revoke")
        with member.page.expect_navigation():
            member.page.get_by_role("button", name="Continue").click()
        assert "The invitation was revoked." in member.page.content()
        check_look(member, "own-invitations-revoked")
