"""The texts of the reference parser: differences of notation between servers, undone."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from logagg.parse.text.normalize import OTHER_NAMES, SCRIPTS


def tidy(field: str, text: str, *, encoded: bool = False) -> str:
    """Return a value of a field as the batch has it; an `encoded` one is URL-encoded."""
    if encoded:
        text = _decoded(text)
    if field == "client_port":
        text = re.sub(r"(\A-)?:[0-9]*\Z", "", text)
    if field == "host":
        text = _bare_host(text)
    if field in ("agent", "referrer") and len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if field == "protocol" and re.fullmatch(r"[0-9](\.[0-9])?", text):
        text = f"HTTP/{text}"
    if field == "country" and len(text.encode()) == 2:
        text = _upper(text)
    if field == "path" and text[:1] not in ("", "/", "*") and "://" not in text:
        text = f"/{text}"
    if field == "scheme":
        text = re.sub("[A-Z]", lambda found: found[0].lower(), text)
    return OTHER_NAMES.get(field, {}).get(text, text)


def host_and_path(text: str) -> tuple[str, str]:
    """Split `example.com/a`, a target without a scheme; the host is empty where none is before the path."""
    first, slash, rest = text.partition("/")
    name, colon, port = first.partition(":")
    labels = name.split(".")
    if not slash or not all(re.fullmatch("[A-Za-z0-9_-]{1,63}", label) for label in labels):
        return "", text
    top, is_address = labels[-1], len(labels) == 4 and all(re.fullmatch("[0-9]{1,3}", label) for label in labels)
    is_domain = len(labels) > 1 and re.fullmatch("[A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9-]{1,59}", top)
    is_script = re.fullmatch(SCRIPTS, top, re.IGNORECASE)
    if re.fullmatch("[0-9]{1,5}", port) if colon else is_address or (is_domain and not is_script):
        return name.lower(), f"/{rest}"
    return "", text


def _bare_host(host: str) -> str:
    """Lower case, without the port."""
    host = host.lower()
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit() and (name.startswith("[") or ":" not in name):
        return name
    return host


def _decoded(text: str) -> str:
    for _ in range(2):  # CloudFront once encoded its logs twice
        spaced = text if re.search(" |%(25)?20", text) else text.replace("++", " %2B").replace("+", " ")
        text = unquote_to_bytes(spaced).decode("utf-8", "replace")
    return text


def _upper(text: str) -> str:
    return re.sub("[a-z]", lambda found: found[0].upper(), text)
