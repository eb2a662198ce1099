"""Shared by the receivers: the failure of a delivery, and their secrets."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

from logagg.alert.messages import Notification
from logagg.alert.text import clean
from logagg.config.alerts import NotifyConfig, variable_of

Deliver = Callable[[NotifyConfig, Notification, str], None]


class Undelivered(Exception):
    """A notification was not delivered. If it was `refused`, it would be again."""

    def __init__(self, problem: str, *, refused: bool = False) -> None:
        super().__init__(clean(problem))
        self.refused = refused


def secret(to: NotifyConfig, key: str) -> str:
    """Return a secret of a receiver: from its file, else from the environment; empty if there is none. Raises Undelivered."""
    if path := getattr(to, f"{key}_file"):
        try:
            return Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Undelivered(f"{path}: cannot be read: {getattr(error, 'strerror', error)}") from None
    return os.environ.get(variable_of(to.name, key), "").strip()


def address_of(to: NotifyConfig) -> str:
    found = to.url or secret(to, "url")
    if not found:
        raise Undelivered(f"no url: write url or url_file, or set {variable_of(to.name, 'url')}")
    return found


def untrusted(error: ssl.SSLCertVerificationError) -> str:
    """Return why a server's certificate is not trusted, and what to do."""
    return f"its certificate is not trusted: {error.verify_message}; set SSL_CERT_FILE to those of the authorities you trust"
