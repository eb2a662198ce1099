"""LTSV, by its labels."""

from __future__ import annotations

from logagg.parse.formats.ltsv import ltsv_templates


def test_labels_make_a_template() -> None:
    line = b"time:27/Nov/2026:12:00:00 +0000\thost:192.0.2.1\treq:GET / HTTP/1.1\tstatus:200\todd-one:x:y"
    assert list(ltsv_templates([line, b"no"])) == [
        "time:<time_any>\thost:<client>\treq:<request>\tstatus:<status>\todd-one:<>"
    ]


def test_the_names_of_nginx_mean_what_nginx_means() -> None:
    line = b"remote_addr:192.0.2.1\thost:example.com\trequest:GET / HTTP/1.1\tstatus:200\tmsec:1"
    assert next(ltsv_templates([line])).startswith("remote_addr:<client>\thost:<host>\t")


def test_other_lines_have_none() -> None:
    assert not list(ltsv_templates([b"a:1\tb:2", b"a b:1\tc:2\td:3\te:4", b"<a>:1\tc:2\td:3\te:4", b"a\tb\tc\td", b""]))
