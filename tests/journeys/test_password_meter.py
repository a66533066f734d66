"""The meter of a password's strength in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.support import commands, http_server
from tests.support.factories import PASSWORD


def test_the_meter_says_when_it_cannot_show_the_strength(tmp_path: Path, watch: Callable[..., Any]) -> None:
    limits = {"RATELIMIT_ENABLED": "true", "RATELIMIT_PASSWORD_STRENGTH": "1 per hour", "WORKERS": "1"}
    environment = commands.environment(f"sqlite:///{tmp_path}/site.db", tmp_path, **limits)
    with http_server.run_server(tmp_path, environment) as server, watch(server.url) as visitor:
        visitor.go("/register/")
        meter = visitor.page.locator(".strength")

        visitor.fill(password="1234")
        expect(meter).to_contain_text("Contains only digits.")
        visitor.fill(password=PASSWORD)

        expect(meter.get_by_role("status")).to_have_text(
            "The strength cannot be shown right now. The password is checked when you submit the form."
        )
        expect(meter.locator(".meter")).to_be_hidden()
