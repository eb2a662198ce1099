"""The headers of a log, for lines that are older than the last one."""

from __future__ import annotations

import pytest

from logagg.intake.content import open_content
from logagg.retrieve import headers
from logagg.retrieve.headers import header_formats

LOG = b"#Fields: date a\n1\n#Fields: date b\r\n2\n #Fields: c\n#Fields: date a\n3\n#Fields: unfinished"


@pytest.mark.parametrize("block", [1 << 20, 20, 7, 1])
def test_each_header_once(tmp_path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(headers, "_BLOCK", block)
    path = tmp_path / "u_ex.log"
    path.write_bytes(LOG)
    content = open_content(str(path))
    try:
        assert header_formats(content, "w3c:x or iis", len(LOG)) == ["w3c:date a", "w3c:date b"]
        assert header_formats(content, "w3c:x@UTC", len(LOG)) == ["w3c:date a@UTC", "w3c:date b@UTC"]
        assert header_formats(content, "w3c:x", 18) == ["w3c:date a"]
        assert header_formats(content, "combined", len(LOG)) == []
    finally:
        content.close()
