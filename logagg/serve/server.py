"""Run the application under uvicorn: on a port of loopback, or on a unix socket."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from logagg.clock import Clock
from logagg.errors import LogaggError
from logagg.serve.api import ServedLake
from logagg.serve.app import Server
from logagg.serve.guard import Access

PATIENCE = 10.0  # seconds in which a client must send the head of a request
CONNECTIONS = 1_200  # open connections, at most
LONGEST_HEAD = 32_768  # bytes of a request's head, at most
LEAVE = 2  # seconds for running answers after a signal
UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen: a host and a port, or the path of a unix socket."""

    host: str = "127.0.0.1"
    port: int = 8080
    path: str = ""

    @classmethod
    def of(cls, text: object) -> Listen:
        """Read `HOST:PORT`, `:PORT`, `PORT` or `unix:PATH`. Raises ValueError."""
        if isinstance(text, Listen):
            return text
        if str(text).startswith(UNIX):
            if not (path := str(text).removeprefix(UNIX)):
                raise ValueError("write unix:PATH")
            return cls(path=path)
        host, _, port = str(text).rpartition(":")
        if not port.isdecimal() or len(port) > 5 or int(port) >= 1 << 16:
            raise ValueError("write HOST:PORT, :PORT for this machine alone, or unix:PATH")
        return cls(host.strip("[]") or "127.0.0.1", int(port))

    @property
    def is_loopback(self) -> bool:
        """Return whether only clients on this machine can connect."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def address(self, port: int, access: Access) -> str:
        """Return the address to open in a browser."""
        if self.path:
            return f"{UNIX}{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        token = f"?token={access.token}" if access.token else ""
        return f"http://{host}:{port}{access.root_path}/{token}"


def new_token() -> str:
    return secrets.token_urlsafe(24)


def read_token(path: Path) -> str:
    """Return the token in a file. Raises LogaggError."""
    try:
        token = path.read_text("ascii").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise LogaggError(f"--token-file {path}: {getattr(error, 'strerror', None) or 'not ASCII'}") from None
    if len(token) < 16 or not token.isprintable() or " " in token:
        raise LogaggError(
            f"--token-file {path}: a token has 16 characters or more", "make one with openssl rand -hex 24"
        )
    if stat.S_IMODE(mode) & 0o007:
        raise LogaggError(f"--token-file {path}: every user may read it", f"chmod 640 {path}")
    return token


def serve(
    served: ServedLake,
    listen: Listen,
    access: Access,
    clock: Clock,
    say: Callable[[str], None],
    *,
    ends_with: int | None = None,
) -> None:
    """Answer requests until SIGTERM or SIGINT; with a descriptor `ends_with`, also until its other end is closed.

    Raises LogaggError if it cannot listen.
    """
    bound, application = _bound(listen), Server(served, clock)
    try:
        threading.Thread(target=application.warm_up, name="warm-up", daemon=True).start()
        config = uvicorn.Config(
            application.app(access),
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(access.trusted_proxies),
            forwarded_allow_ips=list(access.trusted_proxies),
            root_path=access.root_path,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=LEAVE,
            h11_max_incomplete_event_size=LONGEST_HEAD,
        )
        server = _Server(config, lambda: say(listen.address(0 if listen.path else bound.getsockname()[1], access)))
        if ends_with is not None:
            _leave_with(ends_with, server)
        server.run(sockets=[bound])
    finally:
        bound.close()
        if listen.path:
            with suppress(OSError):
                os.unlink(listen.path)


class _Server(uvicorn.Server):
    """Prints its address once it listens. A signal ends it with status 0; a second signal ends it without waiting for answers."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = started

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit  # uvicorn's own would raise the signal again at the end
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()


class _Protocol(H11Protocol):
    """Closes a connection whose client does not send the head of a request in time; uvicorn would keep it open."""

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._have_head()
        elif self._overdue is None and self.conn.trailing_data[0]:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._overdue = self.loop.call_later(PATIENCE, self.transport.close)

    def _have_head(self) -> None:
        if self._overdue:
            self._overdue.cancel()
            self._overdue = None


def _bound(listen: Listen) -> socket.socket:
    """Return a bound socket. Raises LogaggError."""
    where = listen.path or f"{listen.host}:{listen.port}"
    try:
        return _unix(listen.path) if listen.path else _internet(listen)
    except OSError as error:
        reason = error.strerror or str(error)
        raise LogaggError(f"cannot listen at {where}: {reason}", "choose another with --listen") from error


def _internet(listen: Listen) -> socket.socket:
    [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


def _unix(path: str) -> socket.socket:
    """Bind to a path; a socket without a listener is replaced, any other file is not."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if Path(path).is_socket() and not _is_alive(path):
            os.unlink(path)
        before = os.umask(0o117)  # only owner and group, such as nginx's, may connect
        try:
            bound.bind(path)
        finally:
            os.umask(before)
    except OSError:
        bound.close()
        raise
    return bound


def _is_alive(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == 0


def _leave_with(descriptor: int, server: uvicorn.Server) -> None:
    """End the server when the other end of a pipe is closed, since then the process that started it has ended."""

    def wait() -> None:
        with suppress(OSError):
            while os.read(descriptor, 1):
                pass
        server.should_exit = True

    threading.Thread(target=wait, name="parent", daemon=True).start()
