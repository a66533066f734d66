"""Axe-core in a page, with one check of contrast for all texts that look the same."""

from collections.abc import Sequence
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: Takes axe the longest by far: it compares each text with everything that could be behind it.
CONTRAST = "color-contrast"

#: The visible texts and controls, but of those that look the same only six from all over the page: they have the same
#: tag, classes, parent, font, colors and position, and the same colors behind them. Of the 12,000 texts of the API
#: reference about 300 are left.
DIFFERENT_TEXTS = """() => {
  const looks = new Map();
  const walk = (element, behind) => {
    const style = getComputedStyle(element);
    if (style.display === "none") return;
    const layer = [style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.position,
      style.clipPath, style.overflow].join();
    const layers = layer === "rgba(0, 0, 0, 0),none,1,none,static,none,visible" ? behind : `${behind}/${layer}`;
    const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const isControl = element.matches("input, select, textarea, button");
    if ((hasText || isControl) && style.visibility === "visible" && element.checkVisibility()) {
      const isOff = element.matches(":disabled, [aria-disabled]") || Boolean(element.control?.disabled);
      const isShort = element.textContent.trim().length < 2; // axe does not decide on a single character
      const names = [element, element.parentElement].map((part) => `${part.tagName}.${part.getAttribute("class")}`);
      const font = [style.color, style.fontSize, style.fontWeight, style.textShadow];
      const look = [layers, names, isOff, isShort, font].join();
      if (!looks.has(look)) looks.set(look, []);
      looks.get(look).push(element);
    }
    for (const child of element.children) walk(child, layers);
  };
  walk(document.body, "");
  const include = [], exclude = []; // axe checks what is inside of a chosen one too, unless it is excluded
  for (const alike of looks.values()) {
    const step = Math.max(1, (alike.length - 1) / 5);
    const chosen = new Set(Array.from({ length: Math.min(6, alike.length) }, (_, i) => alike[Math.round(i * step)]));
    for (const element of alike) (chosen.has(element) ? include : exclude).push(element);
  }
  const included = new Set(include);
  const isInside = (element) => element && (included.has(element) || isInside(element.parentElement));
  return { include, exclude: exclude.filter((element) => isInside(element.parentElement)) };
}"""

CHECK = f"""async ({{ options, others, contrast }}) => {{
  const found = others ? (await axe.run(options)).violations : [];
  const texts = contrast ? ({DIFFERENT_TEXTS})() : {{ include: [] }};
  if (!texts.include.length) return found;
  const runOnly = {{ type: "rule", values: ["{CONTRAST}"] }};
  return [...found, ...(await axe.run(texts, {{ resultTypes: ["violations"], runOnly }})).violations];
}}"""


def violations(page: Page, only: Sequence[str], rules: dict[str, Any]) -> list[str]:
    """The violations that axe-core finds in the page as it is now, by all or only some rules."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    # The list of passed rules is long and not needed.
    options: dict[str, Any] = {"resultTypes": ["violations"], "rules": {**rules, CONTRAST: {"enabled": False}}}
    others = [rule for rule in only if rule != CONTRAST]
    if others:
        options["runOnly"] = {"type": "rule", "values": others}
    what = {
        "options": options,
        "others": bool(others) or not only,
        "contrast": CONTRAST in only or (not only and rules.get(CONTRAST, {}).get("enabled", True)),
    }
    found: list[dict[str, Any]] = page.evaluate(CHECK, what)
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]
