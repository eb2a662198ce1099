"""Notifications by HTTP: to a webhook, and to the API of Alertmanager."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from logagg import __version__
from logagg.alert.delivery import Undelivered, address_of, secret, untrusted
from logagg.alert.messages import Notification, as_postable, as_webhook, repeat_of
from logagg.config.alerts import NotifyConfig

PATIENCE = 10.0  # seconds for a connection, and for each answer
LASTS = 86_400  # seconds that Alertmanager believes what fires without hearing of it again
API = "/api/v2/alerts"
_TRY_AGAIN = (401, 403, 404, 405, 407, 408, 421, 425, 429)  # the receiver, or its address or token, may be mended


def webhook(to: NotifyConfig, sent: Notification, url: str) -> None:
    _post(to, address_of(to), as_webhook(sent, url), sent.id)


def alertmanager(to: NotifyConfig, sent: Notification, url: str) -> None:
    address = address_of(to).rstrip("/")
    lasts = max(LASTS, 4 * repeat_of(to))
    _post(to, address if address.endswith(API) else address + API, as_postable(sent, url, lasts), sent.id)


def _post(to: NotifyConfig, address: str, content: Any, key: str) -> None:
    """Post JSON; the receiver can tell a repeated one by its key. Redirects are not followed."""
    if not address.startswith(("http://", "https://")):
        raise Undelivered("its address is not http:// or https://")
    headers = {"Content-Type": "application/json", "User-Agent": f"logagg/{__version__}", "Idempotency-Key": key}
    token = secret(to, "token")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        request = urllib.request.Request(address, json.dumps(content).encode(), headers, method="POST")
        with _OPENER.open(request, timeout=PATIENCE):
            return
    except urllib.error.HTTPError as error:
        error.close()
        refused = 400 <= error.code < 500 and error.code not in _TRY_AGAIN
        raise Undelivered(f"{_where(address)} answers {error.code}", refused=refused) from None
    except (OSError, HTTPException, ValueError) as error:
        raise Undelivered(f"{_where(address)}: {_reason(error)}") from None


def _reason(error: Exception) -> object:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
    return untrusted(reason) if isinstance(reason, ssl.SSLCertVerificationError) else reason


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow no redirect: a POST would become a GET."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _where(address: str) -> str:
    """Return the part of an address that is not secret."""
    try:
        found = urlsplit(address)
        return f"{found.scheme}://{found.hostname}" + (f":{found.port}" if found.port else "")
    except ValueError:
        return "its address"
