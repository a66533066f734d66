"""A simulated browser over HTTP, for services that run as real servers."""

import re
from html import unescape
from urllib.parse import urljoin, urlsplit

import requests

from tests.support.form_browser import BROWSER_HEADERS

#: How a page continues to another site by itself.
REFRESH = re.compile(r'http-equiv="refresh" content="0; url=([^"]*)"')


class HttpBrowser:
    """The browser of one user.

    Args:
        url: of the service.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.email = ""
        self.session = requests.Session()
        self.session.headers.update(BROWSER_HEADERS)

    def get(self, path: str) -> requests.Response:
        """Open a page, without following redirects."""
        return self.session.get(urljoin(self.url, path), allow_redirects=False, timeout=60)

    def send(self, path: str, fields: dict[str, str], form_on: str | None = None) -> requests.Response:
        """Send a form with the hidden fields of its page."""
        page = self.get(form_on or path).text
        main = page[max(page.find("<main"), 0) :]
        hidden = re.search(r'<input type="hidden" name="csrf_token" value="([^"]*)"', main)
        data = {**fields, "csrf_token": unescape(hidden[1]) if hidden else ""}
        return self.session.post(urljoin(self.url, path), data=data, allow_redirects=False, timeout=60)

    def sign_in(self, email: str, password: str) -> None:
        """Sign in by the form."""
        response = self.send("/login/", {"email": email, "password": password})
        assert response.status_code == 303, response.text
        self.email = email

    def allow(self, url: str) -> str:
        """Follow an authorization URL and allow the request; the URL of the client that it leads back to."""
        return self._answer(url, "allow")

    def deny(self, url: str) -> str:
        """Follow an authorization URL and do not allow the request; the URL of the client that it leads back to."""
        return self._answer(url, "deny")

    def _answer(self, url: str, button: str) -> str:
        response = self.get(url)
        while response.is_redirect:
            target = urljoin(response.url, response.headers["Location"])
            if not self._is_here(target):
                return target
            response = self.get(target)
        if not REFRESH.search(response.text):
            response = self.send(response.url, {button: "1"})
        found = REFRESH.search(response.text)
        assert found, response.text
        return unescape(found[1])

    def enter(self, url: str) -> requests.Response:
        """Open a page of a client application, and sign in there by way of the service if it sends the browser here."""
        response = self.get(url)
        while response.is_redirect:
            target = urljoin(response.url, response.headers["Location"])
            response = self.get(self.allow(target) if self._is_here(target) else target)
        return response

    def leave(self, url: str) -> requests.Response:
        """Follow a client's link to sign out, and press the button here; the page of the client that it leads to."""
        response = self.get(url)
        while response.is_redirect and not urlsplit(response.url).path.startswith("/oauth/"):
            response = self.get(urljoin(response.url, response.headers["Location"]))
        assert response.status_code == 200, response.text
        main = response.text[response.text.find("<main") :]
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', main)
        data = {name: unescape(value) for name, value in hidden}
        confirm = urljoin(self.url, "/oauth/logout/confirm/")
        response = self.session.post(confirm, data=data, allow_redirects=False, timeout=60)
        found = REFRESH.search(response.text)
        assert found, response.text
        return self.get(unescape(found[1]))

    def _is_here(self, url: str) -> bool:
        return urlsplit(url).netloc == urlsplit(self.url).netloc
