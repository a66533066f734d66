"""Borders of controls and focus rings have contrast, with any color of the site; forced colors show where one is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import commands, http_server
from tests.support.browser import BrowserPage
from tests.support.product_pages import Product

#: One page of each door, with inputs, checkboxes and buttons.
DOORS = {
    "account": ("visitor", "/login/"),
    "staff": ("staff", "/admin/users/new/"),
    "api": ("visitor", "/userapi/users/"),
    "docs": ("visitor", "/docs/try/"),
}

#: What can be seen of a control: its border or its own background must differ from what is behind it (WCAG 1.4.11).
PALE_CONTROLS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (color, below) => {
    canvas.fillStyle = `rgb(${below})`;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (color) => {
    const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = color.map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    const chain = [];
    for (let part = element; part; part = part.parentElement) chain.unshift(getComputedStyle(part).backgroundColor);
    return chain.reduce((below, color) => over(color, below), [255, 255, 255]);
  };
  const faults = [];
  const check = (element, part, color, below) => {
    const found = contrast(over(color, below), below);
    if (found < 3) faults.push(`${part} of ${element.outerHTML.slice(0, 80)}: ${found.toFixed(2)}`);
  };
  const kinds = "input:not([type=hidden]), select, textarea, button, .btn, .chip";
  const controls = [...document.querySelectorAll(kinds)];
  for (const element of controls) {
    if (!element.checkVisibility({ visibilityProperty: true }) || element.disabled) continue;
    const style = getComputedStyle(element);
    const below = behind(element.parentElement);
    if (["checkbox", "radio"].includes(element.type)) {
      if (style.appearance !== "none") {
        if (element.checked) check(element, "accent", style.accentColor, below);
        continue;
      }
    }
    const edges = parseFloat(style.borderTopWidth) ? contrast(over(style.borderTopColor, below), below) : 1;
    const filled = contrast(over(style.backgroundColor, below), below);
    const isPlain = edges < 1.05 && filled < 1.05; // a button that looks like its text, whose contrast axe checks
    if (!isPlain && Math.max(edges, filled) < 3) {
      faults.push(`${element.outerHTML.slice(0, 80)}: ${edges.toFixed(2)}, ${filled.toFixed(2)}`);
    }
  }
  const focusable = controls.find((element) => element.checkVisibility() && !element.disabled);
  focusable.focus({ focusVisible: true });
  const ring = getComputedStyle(focusable);
  if (ring.outlineStyle === "none" || parseFloat(ring.outlineWidth) < 2) faults.push("no focus ring");
  else check(focusable, "focus ring", ring.outlineColor, behind(focusable.parentElement));
  return [controls.length, faults];
}"""

SITE_COLORS = {"yellow": "#ffe600", "near white": "#fdfdfb", "near black": "#050608", "grey": "#808080"}


def pale_controls(browser: BrowserPage, path: str) -> list[str]:
    """Controls and focus rings with too little contrast, in light and dark."""
    browser.go(path)
    browser.page.wait_for_load_state("networkidle")
    browser.page.evaluate("for (const part of document.querySelectorAll('details:not(.menu)')) part.open = true")
    found = []
    for scheme in ("light", "dark"):
        browser.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        browser.wait_until_still()
        number, faults = browser.page.evaluate(PALE_CONTROLS)
        assert number > 2, path
        found += [f"{path}, {scheme}: {fault}" for fault in faults]
    return found


@pytest.mark.parametrize("door", DOORS)
def test_borders_of_controls_and_focus_rings_have_contrast(
    look: Callable[..., Any], product: Product, door: str
) -> None:
    identity, path = DOORS[door]
    with look(identity) as browser:
        assert pale_controls(browser, path) == []


@pytest.mark.parametrize("color", SITE_COLORS)
def test_controls_have_contrast_with_any_site_color(watch: Callable[..., Any], tmp_path: Path, color: str) -> None:
    settings = {"SITE_COLOR": SITE_COLORS[color], "WORKERS": "1"}
    environment = commands.environment(f"sqlite:///{tmp_path}/site.db", tmp_path, **settings)
    with http_server.run_server(tmp_path, environment) as server, watch(server.url) as browser:
        found = [fault for path in ("/login/", "/userapi/users/") for fault in pale_controls(browser, path)]
        browser.go("/login/?next=/admin/users/new/")
        browser.fill(email=server.email, password=str(server.password))
        browser.press("Sign in")
        browser.page.wait_for_url("**/admin/users/new/")
        found += pale_controls(browser, "/admin/users/new/")
        assert browser.violations(only=["color-contrast"]) == []

        assert found == [], "\n".join(found)


DIFFERS = """([marked, other]) => {
  const names = ["outlineStyle", "borderBottomColor", "borderBottomStyle", "backgroundColor", "color", "fontWeight",
    "textDecorationLine"];
  const [a, b] = [marked, other].map((part) => getComputedStyle(part));
  return names.filter((name) => a[name] !== b[name] && name !== "fontWeight").length > 0;
}"""


@pytest.mark.parametrize(
    ("identity", "path", "group"),
    [
        ("staff", "/admin/users/", ".sidebar .side"),
        ("staff", "/admin/users/{user}/access/", "main nav .tabs"),
        ("staff", "/admin/users/?is_active=true", ".chips"),
        ("staff", "/admin/", ".periods"),
        ("owner", "/account/devices/", ".side"),
        ("staff", "/account/", ".topbar nav"),
        ("visitor", "/docs/", ".tabs"),
    ],
)
def test_the_current_page_stands_out_in_forced_colors(
    look: Callable[..., Any], product: Product, identity: str, path: str, group: str
) -> None:
    with look(identity, forced_colors="active") as browser:
        browser.go(path.format_map(product.records))
        marked = browser.page.locator(f"{group} :is([aria-current], [aria-selected=true])").first
        other = browser.page.locator(f"{group} a:not([aria-current])").first
        assert browser.page.evaluate(DIFFERS, [marked.element_handle(), other.element_handle()]), group
        for button in browser.page.locator("main .btn:visible").all()[:5]:
            style = button.evaluate("e => [getComputedStyle(e).borderTopStyle, getComputedStyle(e).borderTopWidth]")
            assert style[0] != "none", button
            assert style[1] != "0px", button
