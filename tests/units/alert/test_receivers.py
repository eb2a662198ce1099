"""The kinds of receivers, with real servers: HTTP, mail, commands."""

from __future__ import annotations

import json
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller

from logagg.alert import command
from logagg.alert.delivery import Undelivered
from logagg.alert.mail import message
from logagg.alert.messages import ListedAlert
from logagg.alert.receivers import deliver
from logagg.config.alerts import NotifyConfig
from tests.gearmand import free_port
from tests.units.alert.test_messages import validated
from tests.units.alert.test_store import SENT

PAGE = "https://logs.example.com/"


class Web:
    """A server that remembers what was posted, and answers as it is told."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[str, dict[str, str], Any]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                web.got.append((self.path, dict(self.headers), body))
                self.send_response(web.answers.pop(0) if web.answers else 200)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def encrypt(self, context: ssl.SSLContext) -> None:
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


def failure(to: NotifyConfig) -> Undelivered:
    with pytest.raises(Undelivered) as caught:
        deliver(to, SENT, PAGE)
    return caught.value


# HTTP


def test_a_webhook(web: Web, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    deliver(NotifyConfig("ops", "webhook", url=f"{web.url}/hook?a=1", token_file=str(tmp_path / "token")), SENT, PAGE)
    [(path, headers, body)] = web.got
    assert path == "/hook?a=1"
    assert (headers["Idempotency-Key"], headers["Authorization"]) == ("k1", "Bearer s3cret")
    assert headers["Content-Type"] == "application/json"
    assert validated(body, "webhook")["alerts"][0]["annotations"]["summary"] == "a: 5%"


@pytest.mark.parametrize("path", ["", "/", "/am", "/api/v2/alerts"])
def test_alertmanager(web: Web, path: str) -> None:
    deliver(NotifyConfig("am", "alertmanager", url=web.url + path), SENT, PAGE)
    [(posted, _, body)] = web.got
    assert posted == ("/am" if path == "/am" else "") + "/api/v2/alerts"
    assert len(validated(body, "alerts")) == 1


@pytest.mark.parametrize(
    ("code", "refused"),
    [(500, False), (503, False), (429, False), (401, False), (302, False), (400, True), (413, True)],
)
def test_answers_of_a_webhook(web: Web, code: int, refused: bool) -> None:
    web.answers = [code]
    found = failure(NotifyConfig("ops", "webhook", url=f"{web.url}/T0/secret"))
    assert (found.refused, str(found)) == (refused, f"{web.url} answers {code}")
    assert len(web.got) == 1  # redirects are not followed


def test_a_webhook_that_is_not_there(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.close()
    found = failure(NotifyConfig("ops", "webhook", url=f"{web.url}/secret"))
    assert "Connection refused" in str(found)
    assert "secret" not in str(found)
    web.__init__()  # type: ignore[misc]  # so that it can be closed


def test_addresses_from_elsewhere(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text(f"{web.url}/from-file\n")
    deliver(NotifyConfig("ops", "webhook", url_file=str(tmp_path / "url")), SENT, PAGE)
    monkeypatch.setenv("LOGAGG_NOTIFY_ON_CALL_URL", f"{web.url}/from-environment")
    deliver(NotifyConfig("on-call", "webhook"), SENT, PAGE)
    assert [path for path, _, _ in web.got] == ["/from-file", "/from-environment"]
    assert "set LOGAGG_NOTIFY_OPS_URL" in str(failure(NotifyConfig("ops", "webhook")))
    assert "cannot be read: No such file" in str(failure(NotifyConfig("ops", "webhook", url_file="/nowhere")))
    (tmp_path / "url").write_text("file:///etc/passwd")
    assert "not http" in str(failure(NotifyConfig("ops", "webhook", url_file=str(tmp_path / "url"))))


@pytest.mark.parametrize("text", ["s3cret\nX-Evil: 1", "s3cr\u20act"])
def test_a_token_cannot_add_headers(web: Web, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("LOGAGG_NOTIFY_OPS_TOKEN", text)
    assert "s3cr" not in str(failure(NotifyConfig("ops", "webhook", url=web.url)))
    assert web.got == []


# mail


class Mailbox:
    """Remembers what it was sent, and answers as it is told."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.recipients: list[str] = []
        self.answer = "250 OK"
        self.refused: set[str] = set()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            self.recipients = envelope.rcpt_tos
        return self.answer


@contextmanager
def mail_server(to: tuple[str, ...], tls: str = "", **how: Any) -> Iterator[tuple[Mailbox, NotifyConfig]]:
    """A mail server, and the receiver of notifications that sends to it."""
    box, port = Mailbox(), free_port()
    server = Controller(box, hostname="127.0.0.1", port=port, **how)
    server.start()
    yield box, NotifyConfig("ops", "smtp", host="127.0.0.1", port=port, tls=tls, sender="logagg@example.com", to=to)
    server.stop()


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, NotifyConfig]]:
    with mail_server(("a@example.com", "b@example.com")) as found:
        yield found


EVIL = replace(
    SENT, alerts=[ListedAlert("0" * 16, "firing", {}, "x\r\nBcc: evil@example.com\r\n\r\nbody", 1.0, 1_772_400_000, 0)]
)


def test_a_mail(mailbox: tuple[Mailbox, NotifyConfig]) -> None:
    box, to = mailbox
    deliver(to, SENT, PAGE)
    deliver(to, SENT, PAGE)
    mail, again = box.mails
    assert mail["Subject"] == "[FIRING] errors: a: 5%"
    assert (mail["From"], mail["To"]) == ("logagg@example.com", "a@example.com, b@example.com")
    assert mail["Message-ID"] == again["Message-ID"] == "<k1@example.com>"  # a receiver can recognise a repeated mail
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().splitlines() == ["FIRING since 2026-03-01T21:20:00Z: a: 5%", "", PAGE]
    assert box.recipients == ["a@example.com", "b@example.com"]


def test_no_value_adds_a_header() -> None:
    to = NotifyConfig("ops", "smtp", sender="logagg@example.com", to=("a@example.com",))
    mail = message_from_bytes(message(to, EVIL, "").as_bytes(policy=policy.SMTP), policy=policy.default)
    assert mail["Bcc"] is None
    assert "Bcc" in mail["Subject"]


@pytest.mark.parametrize(("answer", "refused"), [("451 later", False), ("552 too large", True)])
def test_answers_of_a_mail_server(mailbox: tuple[Mailbox, NotifyConfig], answer: str, refused: bool) -> None:
    box, to = mailbox
    box.answer = answer
    assert failure(to).refused == refused


def test_recipients_that_are_not_there(mailbox: tuple[Mailbox, NotifyConfig]) -> None:
    box, to = mailbox
    box.refused = {"a@example.com"}
    deliver(to, SENT, PAGE)  # the other one has it
    assert box.recipients == ["b@example.com"]
    box.refused = set(to.to)
    assert failure(to).refused


def test_passwords(mailbox: tuple[Mailbox, NotifyConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    _, to = mailbox
    assert "no password is sent without TLS" in str(failure(replace(to, user="me", host="mail.example.com")))
    assert "set LOGAGG_NOTIFY_OPS_PASSWORD" in str(failure(replace(to, user="me")))
    monkeypatch.setenv("LOGAGG_NOTIFY_OPS_PASSWORD", "s3cret")
    assert "s3cret" not in str(failure(replace(to, user="me")))  # this server takes no logins
    assert "STARTTLS" in str(failure(replace(to, tls="starttls")))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def served(authority: trustme.CA) -> ssl.SSLContext:
    """Return the settings of a server on this machine, whose certificate the authority has signed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@pytest.fixture(params=["starttls", "tls"])
def private(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[tuple[Mailbox, NotifyConfig]]:
    """A mail server that takes no mail without TLS."""
    context = served(authority)
    how = {"ssl_context": context} if request.param == "tls" else {"tls_context": context, "require_starttls": True}
    with mail_server(("a@example.com",), request.param, **how) as found:
        yield found


@pytest.mark.usefixtures("trusted")
def test_a_mail_with_tls(private: tuple[Mailbox, NotifyConfig]) -> None:
    box, to = private
    deliver(to, SENT, PAGE)
    assert box.recipients == ["a@example.com"]
    if to.tls == "starttls":
        said = 'answers 530 Must issue a STARTTLS command first; write tls = "starttls"'
        assert said in str(failure(replace(to, tls="none")))


def test_a_mail_server_that_is_not_trusted(private: tuple[Mailbox, NotifyConfig]) -> None:
    box, to = private
    assert "its certificate is not trusted: unable to get local issuer" in str(failure(to))
    assert not box.mails


def test_a_webhook_that_is_not_trusted(web: Web, authority: trustme.CA) -> None:
    web.encrypt(served(authority))
    found = str(failure(NotifyConfig("ops", "webhook", url=web.url)))
    assert found.endswith("set SSL_CERT_FILE to those of the authorities you trust")
    assert "its certificate is not trusted: unable to get local issuer" in found


@pytest.mark.usefixtures("trusted")
def test_a_webhook_with_tls(web: Web, authority: trustme.CA) -> None:
    web.encrypt(served(authority))
    deliver(NotifyConfig("ops", "webhook", url=web.url), SENT, PAGE)
    assert len(web.got) == 1


def test_a_mail_server_that_is_not_there() -> None:
    to = NotifyConfig("ops", "smtp", host="127.0.0.1", port=1, sender="a@example.com", to=("b@example.com",))
    assert str(failure(to)) == "127.0.0.1: Connection refused"


# commands


def program(code: str) -> NotifyConfig:
    return NotifyConfig("ops", "exec", command=(sys.executable, "-c", code, "; touch evil"))


def test_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGAGG_NOTIFY_BOSS_PASSWORD", "s3cret")
    out = tmp_path / "out"
    deliver(
        program(
            f"import os, sys; open({str(out)!r}, 'w').write(os.environ['IDEMPOTENCY_KEY'] + repr([n for n in os.environ if 'NOTIFY' in n]) + sys.stdin.read())"
        ),
        SENT,
        PAGE,
    )
    text = out.read_text()
    assert text.startswith("k1[]")
    validated(json.loads(text[4:]), "webhook")


def test_commands_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(failure(program("import sys; sys.exit('no\\x1b[2J')"))) == f"{sys.executable}: exit status 1: no\\x1b[2J"
    assert "ended by SIGTERM" in str(failure(program("import os; os.kill(os.getpid(), 15)")))
    assert str(failure(NotifyConfig("ops", "exec", command=("/nowhere",)))) == "/nowhere: No such file or directory"
    monkeypatch.setattr(command, "PATIENCE", 0.05)
    assert "takes longer" in str(failure(program("import time; time.sleep(60)")))


def test_a_command_that_does_not_read() -> None:
    deliver(
        program("import os; os.close(0)"),
        replace(SENT, alerts=[replace(SENT.alerts[0], message="x" * 100)] * 5_000),
        PAGE,
    )


# Apprise


def test_apprise_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    to = NotifyConfig("ops", "apprise", url="slack://secret")
    assert str(failure(to)) == "apprise is not installed: pip install 'logagg[notify]'"


def test_apprise(web: Web) -> None:
    to = NotifyConfig("ops", "apprise", url=web.url.replace("http:", "json:") + "/in?+X-Team=ops")
    deliver(to, SENT, PAGE)
    [(path, headers, body)] = web.got
    assert (path, headers["X-Team"]) == ("/in", "ops")
    assert body["title"] == "[FIRING] errors: a: 5%"
    assert body["message"] == f"FIRING since 2026-03-01T21:20:00Z: a: 5%\n\n{PAGE}"
    web.answers = [500]
    assert str(failure(to)) == "apprise could not deliver it"
    assert str(failure(replace(to, url="odd://secret"))) == "apprise does not know this kind of address"


def test_apprise_leaves_what_a_log_has_as_it_is(web: Web) -> None:
    """Texts come from logs: no service may take them for HTML or Markdown of ours."""
    to = NotifyConfig("ops", "apprise", url=web.url.replace("http:", "json:"))
    odd = replace(SENT.alerts[0], message="<b>*bold*</b> &amp; {{x}} \\n")
    deliver(to, replace(SENT, alerts=[odd]), "")
    assert web.got[0][2]["message"] == "FIRING since 2026-03-01T21:20:00Z: <b>*bold*</b> &amp; {{x}} \\n"
