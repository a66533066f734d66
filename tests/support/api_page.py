"""Parses a page of the API into forms, links and scripts."""

from html.parser import HTMLParser

from werkzeug.test import TestResponse

VOID_TAGS = ("meta", "link", "input", "br", "wbr")


class ApiPage(HTMLParser):
    """The parts of a page.

    Attributes:
        forms: the inputs of each form, by name; a form is named by its `data-method`, or its method.
        attributes: the attributes of each form.
        links: the URL and the text of each link.
        scripts: the attributes of each script.
        handlers: attributes that would run as scripts, and URLs that would leave the site.
        errors: the error of each field.
        response_text: only the text of the response.
    """

    def __init__(self, response: TestResponse) -> None:
        super().__init__()
        assert response.mimetype == "text/html", response.text
        self.forms: dict[str, dict[str, dict[str, str | None]]] = {}
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.links: list[tuple[str, str]] = []
        self.scripts: list[dict[str, str | None]] = []
        self.handlers: list[tuple[str, str | None]] = []
        self.errors: dict[str, str] = {}
        self.response_text = ""
        self._form = ""
        self._open: list[dict[str, str | None]] = []
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.handlers += [(name, value) for name, value in attrs if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action"):
            if name in found and not str(found[name]).startswith(("/", "?", "#")):
                self.handlers.append((name, found[name]))
        if tag == "form" and found.get("action") != "/logout/":  # that stands in the head of every page
            self._form = str(found.get("data-method") or found["method"])
            self.forms[self._form], self.attributes[self._form] = {}, found
        if tag in ("input", "select") and self._form:
            self.forms[self._form][str(found["name"])] = found
        if tag == "script":
            self.scripts.append(found)
        if tag == "a":
            self.links.append((str(found["href"]), ""))
        if tag not in VOID_TAGS:
            self._open.append({"tag": tag, **found})

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()["tag"] != tag:
            pass
        if tag == "form":
            self._form = ""

    def handle_data(self, data: str) -> None:
        if any(part.get("id") == "answer" for part in self._open):
            self.response_text += data
        for part in self._open:
            if "data-field" in part:
                self.errors[str(part["data-field"])] = self.errors.get(str(part["data-field"]), "") + data
            if part["tag"] == "a":
                self.links[-1] = (self.links[-1][0], self.links[-1][1] + data)

    def fields(self, form: str) -> set[str]:
        """The names of a form's inputs, except for the CSRF token."""
        return set(self.forms[form]) - {"csrf_token"}
