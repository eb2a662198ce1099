"""Sites, schemes and paths of targets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from logagg.columnar.encoded import EncodedText
from logagg.parse.events.targets import hosts_of, schemes_of, split_targets


def column(*values: str) -> EncodedText:
    return EncodedText(np.arange(len(values), dtype=np.int32), pa.array(values, pa.string()))


@pytest.mark.parametrize(
    ("target", "host", "scheme", "path"),
    [
        ("http://Shop.Example.com/a?b", "shop.example.com", "http", "/a"),
        ("https://shop.example.com:8443", "shop.example.com", "https", "/"),
        ("http://shop.example.com?b=/c", "shop.example.com", "http", "/"),
        ("http://ann:x@shop.example.com/", "shop.example.com", "http", "/"),
        ("http://[2001:db8::1]:80/a", "[2001:db8::1]", "http", "/a"),
        ("shop.example.com:443", "shop.example.com", None, "shop.example.com:443"),
        ("/a?u=http://x.example/", "", None, "/a"),
        ("//x.example/a", "", None, "//x.example/a"),
        ("http:///a", "", None, "/a"),
        ("http://<script>/a", "", None, "/a"),
        ("*", "", None, "*"),
        ("", "", None, ""),
    ],
)
def test_a_target(target: str, host: str, scheme: str | None, path: str) -> None:
    targets = column(target, "/other")
    hosts, schemes = hosts_of(targets), schemes_of(targets)
    assert (hosts.array().to_pylist()[0] if hosts else "") == host
    assert (schemes.array().to_pylist()[0] if schemes else None) == scheme
    assert split_targets(targets.values)[0].array().to_pylist() == [path, "/other"]
