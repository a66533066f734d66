"""The page that leads from a form to another site (decision 0070)."""

from urllib.parse import urlsplit

from flask import Response, current_app, make_response, request

from .layout import render_page


def hop_to(url: str, name: str) -> Response:
    """A page that continues to another site by itself, and has a link to it.

    Chromium and Safari hold the policy `form-action 'self'` against redirects that follow a form. This is no redirect.

    Args:
        url: of the other site.
        name: of the other site.
    """
    response = make_response(render_page("hop.html", url=url, provider=name))
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def hop_to_site_url(path: str) -> Response | None:
    """A page that continues at SITE_URL, if the browser has sent a form to another host of this service; else None.

    Providers send browsers back to SITE_URL, where a cookie of another host does not come along. The header `Origin`
    says which host the browser sees; `Host` may be that of a proxy.
    """
    site, seen = urlsplit(current_app.config["SITE_URL"]), urlsplit(request.headers.get("Origin", ""))
    if not seen.hostname or seen.hostname == site.hostname:
        return None
    return hop_to(site.geturl() + path, site.netloc)
