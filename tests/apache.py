"""A real Apache httpd on a free loopback port, in the layout of Debian, with its own configuration and logs."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.nginx import free_port, get, listens

MODULES = Path("/usr/lib/apache2/modules")
_MAIN = """
DefaultRuntimeDir ${APACHE_RUN_DIR}
PidFile ${APACHE_PID_FILE}
ServerName main.example
Listen 127.0.0.1:${PORT}
ErrorLog ${APACHE_LOG_DIR}/error.log
IncludeOptional mods-enabled/*.load
LogFormat "%v:%p %h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" vhost_combined
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined
<Directory />
    Require all granted
</Directory>
DocumentRoot ${HTDOCS}
IncludeOptional conf-enabled/*.conf
IncludeOptional sites-enabled/*.conf
"""
_ENVIRONMENT = """\
# as Debian's
if [ "${{APACHE_CONFDIR##/etc/apache2-}}" != "${{APACHE_CONFDIR}}" ] ; then
\tSUFFIX="-${{APACHE_CONFDIR##/etc/apache2-}}"
else
\tSUFFIX=
fi
export APACHE_RUN_DIR={folder}/run$SUFFIX
export APACHE_PID_FILE={folder}/apache2$SUFFIX.pid
export APACHE_LOG_DIR={folder}/log$SUFFIX
export HTDOCS={folder}/htdocs
export PORT={port}
"""
_NEEDED = ("mpm_event", "authz_core", "macro", "setenvif", "alias", "env")


class Apache:
    """The server: its configuration is in `folder`, its logs are in `logs`."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self.folder, self.logs = program, folder, folder / "log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("log", "run", "htdocs", "mods-enabled", "conf-enabled", "sites-enabled"):
            (folder / name).mkdir(parents=True)
        (folder / "htdocs/index.html").write_text("hello")
        (folder / "apache2.conf").write_text(_MAIN)
        for name in _NEEDED:
            load = f"LoadModule {name}_module {MODULES}/mod_{name}.so\n"
            (folder / "mods-enabled" / f"{name}.load").write_text(load)

    def start(self, **sites: str) -> None:
        """Start with these files of sites."""
        for name, text in sites.items():
            (self.folder / "sites-enabled" / f"{name}.conf").write_text(text)
        for _ in range(5):  # another process may take a free port before
            self.port = free_port()
            (self.folder / "envvars").write_text(_ENVIRONMENT.format(folder=self.folder, port=self.port))
            if self._comes_up():
                return
        raise AssertionError(self.tested())

    def _comes_up(self) -> bool:
        self._process = process = subprocess.Popen(self._argv("-D", "FOREGROUND"), stderr=subprocess.DEVNULL)
        wait_until(lambda: process.poll() is not None or listens(self.port))
        return process.poll() is None

    def stop(self) -> None:
        """Let it finish its requests, write its logs, and end."""
        if self._process:
            self._process.send_signal(signal.SIGWINCH)  # graceful-stop
            try:
                self._process.wait(20)
            finally:
                self._process.kill()
                self._process.wait()
                self._process = None

    def get(self, target: str, **headers: str) -> int:
        return get(f"http://127.0.0.1:{self.port}{target}", headers)

    def tested(self, *more: str) -> str:
        """Return what `apachectl -t` says of the configuration."""
        done = subprocess.run(self._argv("-t", *more), capture_output=True, text=True)
        return done.stdout + done.stderr

    def hosts(self) -> set[str]:
        """Return the names of the virtual hosts, as httpd itself lists them."""
        return set(re.findall(r"namevhost (\S+) \(", self.tested("-D", "DUMP_VHOSTS")))

    def _argv(self, *options: str) -> list[str]:
        # As apachectl does: the shell reads envvars.
        words = [self._program, "-d", str(self.folder), "-f", f"{self.folder}/apache2.conf", *options]
        script = f"APACHE_CONFDIR={shlex.quote(str(self.folder))}; . {shlex.quote(f'{self.folder}/envvars')}; exec {shlex.join(words)}"
        return ["/bin/sh", "-c", script]


@pytest.fixture
def apache(tmp_path: Path, tool: Callable[[str], str]) -> Iterator[Apache]:
    program = tool("apache2")
    if not MODULES.is_dir():
        pytest.skip(f"no modules of httpd in {os.fspath(MODULES)}")
    server = Apache(program, tmp_path / "apache")
    yield server
    server.stop()
