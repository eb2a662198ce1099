"""Hosts before paths: targets such as `example.com/a`, by both parsers."""

import pyarrow as pa
import pytest

from logagg.parse.lines.reference_text import host_and_path
from logagg.parse.text.normalize import hosts_and_paths


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        ("www.example.com/page.php", "www.example.com", "/page.php"),
        ("Example.COM/", "example.com", "/"),
        ("example.com:8443/a?b=/c", "example.com", "/a?b=/c"),
        ("localhost:8080/a", "localhost", "/a"),
        ("192.0.2.1/a", "192.0.2.1", "/a"),
        ("xn--bcher-kva.xn--p1ai/a", "xn--bcher-kva.xn--p1ai", "/a"),
        ("example.com//a\nb", "example.com", "//a\nb"),
    ],
)
def test_a_host_is_before_the_path(target: str, host: str, path: str) -> None:
    assert [column.to_pylist() for column in hosts_and_paths(pa.array([target]))] == [[host], [path]]
    assert host_and_path(target) == (host, path)


@pytest.mark.parametrize(
    "target",
    ["/example.com/a", "index.php/a", "INDEX.PHP5/a", "images/a.png", "example.com", "page.html", "example.com:443"]
    + [
        "http://example.com/a",
        "v1.2/a",
        "1.2.3/a",
        "a..com/b",
        ".com/a",
        "ex ample.com/a",
        "a@b.com/c",
        "",
        "*",
        "b\u00fccher.de/a",
    ],
)
def test_no_host_is_before_the_path(target: str) -> None:
    assert [column.to_pylist() for column in hosts_and_paths(pa.array([target]))] == [[None], [None]]
    assert host_and_path(target) == ("", target)
