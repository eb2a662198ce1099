"""Notifications by a command, which gets them as JSON on its standard input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from logagg.alert.delivery import Undelivered
from logagg.alert.messages import Notification, as_webhook
from logagg.config.alerts import NotifyConfig

PATIENCE = 30.0  # seconds
_TOLD = 200  # bytes of its standard error


def run(to: NotifyConfig, sent: Notification, url: str) -> None:
    """Run a command with the JSON of a webhook on its standard input. It gets no secret of other receivers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOGAGG_NOTIFY_")}
    content = json.dumps(as_webhook(sent, url)).encode()
    with tempfile.TemporaryFile() as errors:
        status = _status(to.command, content, {**kept, "IDEMPOTENCY_KEY": sent.id}, errors)
        errors.seek(0)
        told = errors.read(_TOLD).decode("utf-8", "replace").strip()
    if status:
        how = f"exit status {status}" if status > 0 else f"ended by {signal.Signals(-status).name}"
        raise Undelivered(f"{to.command[0]}: {how}{f': {told}' if told else ''}")


def _status(command: tuple[str, ...], content: bytes, environment: Mapping[str, str], errors: Any) -> int:
    """Run a command to its end, and return its status. Raises Undelivered."""
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            start_new_session=True,  # so that all that it starts ends with it
        )
    except OSError as error:
        raise Undelivered(f"{command[0]}: {error.strerror}") from None
    try:
        child.communicate(content, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise Undelivered(f"{command[0]}: takes longer than {PATIENCE:.0f} s") from None
    finally:
        if child.stdin:
            child.stdin.close()
    return child.returncode
