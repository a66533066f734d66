"""Fields of profiles of every kind in a real browser, which writes dates, times and line breaks in its own way."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.factories import PROFILE
from tests.support.own_fields import VALUES
from tests.support.product_pages import Product

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_W03_saving_a_form_unchanged_keeps_every_value(
    look: Callable[..., Any], product: Product, scripts: bool
) -> None:
    with look("owner", java_script_enabled=scripts) as browser:
        page = browser.page
        page.goto(f"{product.url}/account/")
        assert page.locator("#profile-topics input:checked").count() == 2
        with page.expect_navigation():
            page.get_by_role("button", name="Save profile").click()

        assert "Your changes have been saved." in page.locator("main").inner_text()
        saved = page.request.get(f"{product.url}/userapi/auth/user/", headers={"Accept": "application/json"}).json()

    assert saved["profile"] == VALUES | PROFILE
