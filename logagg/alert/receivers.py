"""The receivers: how a notification is sent by each kind. Each sends it whole, or raises Undelivered.

Secrets are read when they are needed, from a file or the environment, and are in no message or notice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from logagg.alert import command, mail, web
from logagg.alert.delivery import Deliver, Undelivered, address_of
from logagg.alert.messages import Notification, body_of, subject_of
from logagg.config.alerts import NotifyConfig


def deliver(to: NotifyConfig, sent: Notification, url: str) -> None:
    """Send a notification; `url` is the address of the page. Raises Undelivered."""
    _KINDS[to.kind](to, sent, url)


def _apprise(to: NotifyConfig, sent: Notification, url: str) -> None:
    """Send by Apprise, which knows a hundred services; its addresses are secrets, and so are its errors."""
    try:
        import apprise
    except ImportError:
        raise Undelivered("apprise is not installed: pip install 'logagg[notify]'") from None
    logging.getLogger("apprise").disabled = True  # it may name an address
    service = apprise.Apprise()
    if not service.add(address_of(to)):
        raise Undelivered("apprise does not know this kind of address")
    if not service.notify(title=subject_of(sent), body=body_of(sent, url)):
        raise Undelivered("apprise could not deliver it")


_KINDS: Mapping[str, Deliver] = {
    "webhook": web.webhook,
    "alertmanager": web.alertmanager,
    "smtp": mail.send,
    "exec": command.run,
    "apprise": _apprise,
}
