"""The guard before all requests: hosts, origins, methods, the token, and the headers of all answers.

- A request that another site's page makes a browser send is refused: by the name of the host (DNS rebinding), and by the
  browser's report of its origin (fetch metadata). No answer permits another origin to read it.
- Beyond loopback a token is required: in the URL at first, later in a cookie; or as `Authorization: Bearer`.
- Only GET and HEAD are answered. No part of a request is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "logagg"
PARAMETER = "token"
A_YEAR = 365 * 86_400
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Which clients and origins are answered."""

    token: str = ""  # empty: every client that reaches the port is answered
    hosts: Sequence[str] = ()  # names of this server, besides localhost and IP addresses
    any_host: bool = False  # accept any name: for a unix socket, which browsers cannot open
    trusted_proxies: Sequence[str] = ()  # addresses of proxies whose X-Forwarded-Proto is trusted
    root_path: str = ""  # the path under which a proxy shows this server


class Guard:
    """Refuses requests, and adds headers to all answers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer that refuses a request; None if it is allowed."""
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            return refused(405, "only GET is answered", "this server only reads", {"Allow": "GET, HEAD"})
        if not self._is_ours(headers.getlist("host")):
            return refused(421, "not a name of this server", "give it with --host-name, if it is one")
        if _is_foreign(headers):
            return refused(403, "the request comes from a page of another site", "open it directly")
        return self._without_token(scope, headers) if self._access.token else None

    def _is_ours(self, hosts: Sequence[str]) -> bool:
        if self._access.any_host:
            return True
        if len(hosts) != 1:
            return False
        host = _without_port(hosts[0].lower())
        if host in self._access.hosts or host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        token = self._access.token
        if _same(_bearer(headers), token) or _same(_cookie(headers), secret_of(token)):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == PARAMETER]
        if given and _same(given[0], token):
            return self._with_cookie(scope, headers, [pair for pair in query if pair[0] != PARAMETER])
        hint = "open the address that the server printed, or send Authorization: Bearer TOKEN"
        return refused(401, "a token is needed", hint, {"WWW-Authenticate": "Bearer"})

    def _with_cookie(self, scope: Scope, headers: Headers, query: list[tuple[str, str]]) -> Response:
        """Return a redirect to the same page without the token; a cookie replaces it."""
        root = self._access.root_path
        path = root + "/" + scope["path"].removeprefix(root).lstrip("/")  # never //elsewhere
        answer = RedirectResponse(path + (f"?{urlencode(query)}" if query else ""), 303)
        answer.set_cookie(
            COOKIE,
            secret_of(self._access.token),
            max_age=A_YEAR,
            path=(root or "") + "/",
            httponly=True,
            samesite="lax",  # so that a link from a mail or a chat opens the page
            secure=self._is_encrypted(scope, headers),
        )
        return answer

    def _is_encrypted(self, scope: Scope, headers: Headers) -> bool:
        peer = (scope.get("client") or ("",))[0]
        return peer in self._access.trusted_proxies and headers.get("x-forwarded-proto", "") == "https"


def refused(status: int, error: str, hint: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error as an answer in JSON."""
    return JSONResponse({"error": error, "hint": hint}, status, headers)


def secret_of(token: str) -> str:
    """Return the value of the cookie: a hash, from which the token cannot be computed."""
    return hashlib.sha256(f"cookie of logagg serve: {token}".encode()).hexdigest()


def _is_foreign(headers: Headers) -> bool:
    """Return whether a browser reports that another site's page made the request. A link that the user follows is allowed."""
    site = headers.get("sec-fetch-site", "none")
    followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return site not in ("same-origin", "none") and not followed


def _without_port(host: str) -> str:
    if host.startswith("["):
        address, bracket, _ = host[1:].partition("]")
        return address if bracket else ""
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _bearer(headers: Headers) -> str:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else ""


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())
