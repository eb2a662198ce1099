"""Targets of requests: path and query; and the site and scheme, which an absolute target has in it.

Proxies are asked for `http://example.com/a`, and for `example.com:443` to connect to; caches and load balancers log the first form.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import masked
from logagg.columnar.encoded import EncodedText
from logagg.columnar.slices import Slices
from logagg.parse.text import urls
from logagg.parse.text.normalize import bare_host

_BEFORE_PATH = r"(?s)\A[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*"
_HOST = r"(?P<host>(?:[A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+|\[[0-9A-Fa-f:.]+\])"
_ABSOLUTE = rf"\A(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:[^/?#@]*@)?{_HOST}(?::[0-9]*)?(?:[/?#]|\z)"
_AUTHORITY = rf"\A{_HOST}:[0-9]{{1,5}}\z"


def split_targets(values: pa.Array) -> tuple[EncodedText, Slices]:
    """Split request targets into path and query; an absolute target loses scheme and host."""
    if (rows := _no_paths(values)).size:
        values = pc.replace_with_mask(values, _mask(values, rows), _relative(values.take(pa.array(rows))))
    targeted = Slices.of(values)
    path_end, query_start, query_end = urls.split_urls(*targeted.places)
    paths = EncodedText.cut(Slices(targeted.data, targeted.start, path_end))
    return paths, Slices(targeted.data, query_start, query_end)


def hosts_of(targets: EncodedText) -> EncodedText | None:
    """Return the hosts that absolute targets have in them, empty for others; None if there are none."""
    return _found(targets, "host", (_ABSOLUTE, _AUTHORITY))


def schemes_of(targets: EncodedText) -> EncodedText | None:
    """Return the schemes of absolute targets, null for others; None if there are none."""
    found = _found(targets, "scheme", (_ABSOLUTE,))
    return EncodedText(masked(found.codes, ~found.equal(""), -1), found.values, nulls=True) if found else None


def _found(targets: EncodedText, name: str, patterns: tuple[str, ...]) -> EncodedText | None:
    rows = _no_paths(targets.values)
    if not rows.size:
        return None
    some = targets.values.take(pa.array(rows))
    parts = [pc.struct_field(pc.extract_regex(some, pattern), name) for pattern in patterns]
    texts = pc.fill_null(pc.coalesce(*parts), "")
    texts = bare_host(texts) if name == "host" else pc.ascii_lower(texts)
    if not pc.any(pc.not_equal(texts, "")).as_py():
        return None
    empty = pa.array(np.full(len(targets.values), ""), pa.string())
    return EncodedText(targets.codes, pc.replace_with_mask(empty, _mask(empty, rows), texts))


def _relative(values: pa.Array) -> pa.Array:
    """Return targets without scheme and host; a target without a path has `/`."""
    paths = pc.replace_substring_regex(values, _BEFORE_PATH, "")
    bare = pc.and_(pc.not_equal(paths, values), pc.invert(pc.starts_with(paths, "/")))
    return pc.if_else(bare, pc.binary_join_element_wise("/", paths, ""), paths)


def _no_paths(values: pa.Array) -> np.ndarray:
    """Return which values do not begin with a slash, as nearly all do."""
    slashed = pc.starts_with(values, "/").to_numpy(zero_copy_only=False)
    return np.flatnonzero(~slashed)


def _mask(values: pa.Array, rows: np.ndarray) -> pa.Array:
    mask = np.zeros(len(values), bool)
    mask[rows] = True
    return pa.array(mask)
