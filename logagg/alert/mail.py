"""Notifications by mail."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from logagg.alert.delivery import Undelivered, secret, untrusted
from logagg.alert.messages import Notification, body_of, subject_of
from logagg.config.alerts import NotifyConfig, variable_of

PATIENCE = 15.0  # seconds for each answer of the server
_PORTS = {"tls": 465, "starttls": 587, "none": 25}
_TLS_FIRST = 530  # "Must issue a STARTTLS command first" (RFC 3207)
_HERE = ("localhost", "127.0.0.1", "::1")


def send(to: NotifyConfig, sent: Notification, url: str) -> None:
    """Send a notification to all recipients. Raises Undelivered."""
    tls = to.tls or next((tls for tls, port in _PORTS.items() if port == to.port), "none")
    if to.user and tls == "none" and to.host not in _HERE:
        raise Undelivered(f'{to.host}: no password is sent without TLS: write tls = "starttls"')
    try:
        with _connected(to, tls) as server:
            if to.user:
                server.login(to.user, _password(to))
            server.send_message(message(to, sent, url))
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise Undelivered(f"{to.host} refuses the recipients ({codes[0]})", refused=min(codes) >= 500) from None
    except smtplib.SMTPAuthenticationError as error:
        raise Undelivered(f"{to.host} refuses the login of {to.user} ({error.smtp_code})") from None
    except smtplib.SMTPDataError as error:
        raise Undelivered(f"{to.host} refuses the mail ({_words(error)})", refused=error.smtp_code >= 500) from None
    except smtplib.SMTPResponseException as error:
        advice = '; write tls = "starttls"' if error.smtp_code == _TLS_FIRST and tls == "none" else ""
        raise Undelivered(f"{to.host} answers {_words(error)}{advice}") from None
    except ssl.SSLCertVerificationError as error:
        raise Undelivered(f"{to.host}: {untrusted(error)}") from None
    except (OSError, smtplib.SMTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Undelivered(f"{to.host}: {reason}") from None


def _connected(to: NotifyConfig, tls: str) -> smtplib.SMTP:
    port = to.port or _PORTS[tls]
    if tls == "tls":
        return smtplib.SMTP_SSL(to.host, port, timeout=PATIENCE, context=ssl.create_default_context())
    server = smtplib.SMTP(to.host, port, timeout=PATIENCE)
    if tls == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def _words(error: smtplib.SMTPResponseException) -> str:
    """Return the code of an answer, and its first line."""
    text = error.smtp_error
    lines = (text.decode(errors="replace") if isinstance(text, bytes) else text).splitlines()
    return f"{error.smtp_code} {lines[0] if lines else ''}".strip()


def _password(to: NotifyConfig) -> str:
    if not (password := secret(to, "password")):
        raise Undelivered(f"no password: write password_file, or set {variable_of(to.name, 'password')}")
    return password


def message(to: NotifyConfig, sent: Notification, url: str) -> EmailMessage:
    """Return a notification as a mail. Its id is that of the notification, and those of one group are one thread."""
    domain = to.sender.rpartition("@")[2]
    thread = hashlib.blake2b(f"{sent.receiver} {sent.key}".encode(), digest_size=12).hexdigest()
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = to.sender, ", ".join(to.to), subject_of(sent)
    mail["Date"] = format_datetime(datetime.fromtimestamp(sent.made, UTC))
    mail["Message-ID"], mail["References"] = f"<{sent.id}@{domain}>", f"<{thread}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(body_of(sent, url))
    return mail
