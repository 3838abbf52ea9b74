"""What the headers of every answer of the console forbid a browser to do with it.

The outermost middleware, so that error pages and static files have them too. The policy allows
nothing but what the console's pages are made of: files below /static/ of this very host, no script
or style in a page unless it bears the request's nonce, no eval, no frame, no foreign form. A view
that needs more says so by django-csp's decorators, and may name paths of this host as is done here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.core.exceptions import DisallowedHost

if TYPE_CHECKING:
    from csp.middleware import PolicyParts
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

DIRECTIVES: Final[dict[str, Any]] = {
    "default-src": [NONE],
    "script-src": [NONCE],
    "style-src": [NONCE],
    "connect-src": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "base-uri": [NONE],
    "object-src": [NONE],
}
# Directives that allow the console's files, and what they allow beside them: the texts of Django's
# admin are a script that a view writes.
FILES: Final = {
    "script-src": ("/static/", "/jsi18n/"),
    "style-src": ("/static/",),
    "font-src": ("/static/",),
    "img-src": ("/static/",),
}
# What a page needs that shows stored objects, for csp_update: as pictures, as sound and film.
# Nothing that is stored is ever a frame, a script or a style.
OBJECTS: Final = {"img-src": ["/s3/"], "media-src": ["/s3/"]}
REFUSED: Final = (
    *("accelerometer", "autoplay", "camera", "clipboard-read", "display-capture"),
    *("encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "idle-detection"),
    *("magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("publickey-credentials-get", "screen-wake-lock", "serial", "usb"),
    "xr-spatial-tracking",
)
HEADERS: Final = {
    "Permissions-Policy": ", ".join(f"{name}=()" for name in REFUSED),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # unless a view, or a static file, says otherwise
}
HSTS: Final = "max-age=31536000"  # a year; not for subdomains, which may be anybody's
# Of a page that shows objects: a film may fill the screen.
PLAYING: Final = {
    "Permissions-Policy": HEADERS["Permissions-Policy"].replace(
        "fullscreen=()", "fullscreen=(self)"
    )
}


class PageHeaders(CSPMiddleware):
    """Django's and django-csp's headers, and those that neither of them sets."""

    def get_policy_parts(
        self,
        request: HttpRequest,
        response: HttpResponseBase,
        report_only: bool = False,  # noqa: FBT001, FBT002  # django-csp's signature
    ) -> PolicyParts:
        """Allow the console's own files, under the names a browser may reach them by."""
        parts = super().get_policy_parts(request, response, report_only)
        if report_only:
            return parts
        more = dict(parts.update or {})
        hosts = _hosts(request)
        parts.update = {
            directive: [
                source
                for allowed in (*FILES.get(directive, ()), *more.get(directive, ()))
                for source in _sources(allowed, hosts)
            ]
            for directive in {**FILES, **more}
        }
        return parts

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Add the headers."""
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        if request.is_secure() or settings.S4.console_url.startswith("https:"):
            response.headers["Strict-Transport-Security"] = HSTS
        return super().process_response(request, response)


def _sources(allowed: str, hosts: set[str]) -> list[str]:
    """Write what is allowed as sources of a policy: a path is one of this very host."""
    if not allowed.startswith("/"):
        return [allowed]
    return [f"{host}{allowed}" if host else SELF for host in hosts]


def _hosts(request: HttpRequest) -> set[str]:
    """Name the hosts that a browser may have asked; "" is one that a policy cannot name."""
    try:
        host = request.get_host()
    except DisallowedHost:
        host = ""
    hosts = {"" if host.startswith("[") else host}  # an IPv6 address is no source: CSP 3, 2.3.1
    if settings.S4.console_url:
        hosts.add(urlsplit(settings.S4.console_url).netloc)
    return hosts
