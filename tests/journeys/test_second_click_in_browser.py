"""A second click on a button in a real browser while the first request is running (F20)."""

from tests.support.browser import BrowserPage

#: Clicks a button twice. Returns whether each click would have sent the form, and whether the button is busy.
TWO_CLICKS = """button => {
    const sent = [];
    window.addEventListener("submit", (event) => {
        sent.push(!event.defaultPrevented);
        event.preventDefault();
    });
    button.click();
    button.click();
    return [sent, button.getAttribute("aria-busy")];
}"""


def test_a_button_is_busy_and_its_form_is_sent_once(visitor: BrowserPage) -> None:
    visitor.go("/password_reset/")
    visitor.fill(email="wren@example.com")

    assert visitor.page.locator("main form button[type=submit]").evaluate(TWO_CLICKS) == [[True, False], "true"]
