"""Logs of the combined family in the orders and with the tails that servers write, and what each line says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from logagg.clock import ManualClock
from logagg.parse.lines import fast
from logagg.parse.source_formats import SourceFormats
from logagg.records import Chunk, Fingerprint

NOW = 1_795_900_000.0  # 28 November 2026
FIELDS = ("client", "host", "target", "status", "bytes", "agent", "seconds", "upstream_seconds", "cache", "forwarded")

BEFORE = {
    "combined": "{client} - {user} [{time}]",
    "vhost": "{host} {client} - {user} [{time}]",
    "vhost with port": "{host}:443 {client} - {user} [{time}]",
    "vhost with ident": "{host} {client} - - [{time}]",
    "vhost behind": "{client} {host} - {user} [{time}]",
    "vhost as ident": "{client} {host} {user} [{time}]",
    "vhost apart": "{host} - {client} - {user} [{time}]",
    "vhost in quotes": '"{host}" {client} - {user} [{time}]',
    "vhost before the request": '{client} - {user} [{time}] "{host}"',
    "time first": "[{time}] {client} - {user}",
    "country": "{country} {client} - {user} [{time}]",
}
BEHIND = {
    "nothing": "",
    "forwarded": ' "{forwarded}"',
    "seconds": " {seconds}",
    "both times": " {seconds} {upstream}",
    "both times, the other way round": " {upstream} {seconds}",
    "keys": ' rt={seconds} uct="0.000" uht="0.001" urt="{upstream}" cs={cache}',
    "mixed": ' "{forwarded}" 421 {seconds} 700 "{cache}"',
    "ingress": " 421 {seconds} [shop-web-80] [] 10.1.2.3:8080 512 {upstream} 200 7c9e6679f7324d7c",
    "cookie": ' "sid={number}; lang=en"',
    "microseconds": " {number}",
    "tls": " TLSv1.3 {seconds} https",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One format of the family."""

    before: str
    behind: str

    def line(self, draw: random.Random, client: str = "", **sent: str) -> tuple[bytes, dict[str, object]]:
        """Return a line, and what of it is to be read."""
        number = draw.randrange(10_000)
        values: dict[str, object] = {
            "client": client or f"198.51.100.{number % 200}",
            "host": draw.choice(["www.example.com", "shop.example.com"]),
            "user": draw.choice(["-", "-", "jane", "Jane Doe"]),
            "time": f"27/Nov/2026:09:{number % 60:02}:00 +0100",
            "country": draw.choice(["DE", "FR"]),
            "forwarded": f"203.0.113.{number % 100}",
            "seconds": f"{number % 7 + 1}.{number % 1000:03}",
            "upstream": f"0.{number % 1000:03}",
            "cache": draw.choice(["HIT", "MISS"]),
            "number": number,
            "agent": "Mozilla/5.0",
            "target": f"/p{number % 10}",
            **sent,
        }
        text = BEFORE[self.before] + ' "GET {target} HTTP/1.1" 200 512 "-" "{agent}"' + BEHIND[self.behind]
        return text.format(**values).encode(), self._read(values, text)

    def _read(self, values: dict[str, object], text: str) -> dict[str, object]:
        known = {"upstream_seconds": "upstream"}
        read = {name: values.get(known.get(name, name)) for name in FIELDS if f"{{{known.get(name, name)}}}" in text}
        read |= {name: float(str(read[name])) for name in ("seconds", "upstream_seconds") if name in read}
        return {"host": "", **read, "status": 200, "bytes": 512}


KINDS = [Kind(before, behind) for before in BEFORE for behind in BEHIND]


def read(data: bytes, cuts: Sequence[int] = (), before: str = "") -> tuple[list[dict[str, object]], int, str]:
    """Read a log in chunks as a tail does; return its rows, how many lines were rejects, and the name of its formats."""
    formats = SourceFormats("", {}, ManualClock(NOW), lambda source: None, before=lambda source: before)
    rows, rejects, start = list[dict[str, object]](), 0, 0
    for end in [*sorted({data.rfind(b"\n", 0, cut) + 1 for cut in cuts} - {0, len(data)}), len(data)]:
        chunk = Chunk("s", 0, start, end, data[start:end], Fingerprint(end, 0, ""))
        fmt = formats.format_of(chunk)
        if fmt is None:  # the tail takes the chunk back
            continue
        batch = fast.parse(chunk, fmt, NOW, detect=partial(formats.detector.next, now=NOW))
        formats.learn("s", batch.formats)
        formats.take_learned()
        rows += batch.table.to_pylist()
        rejects += batch.rejects.lines
        start = end
    return rows, rejects, formats.name_of("s")


def said(row: dict[str, object], names: Sequence[str]) -> dict[str, object]:
    """Return some fields of a row, with empty text for null."""
    return {name: row[name] if row[name] is not None else "" if name == "host" else None for name in names}
