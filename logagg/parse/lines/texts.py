"""Raw values -> columns of text, each distinct value cleaned once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logagg.columnar.dictionary import spread
from logagg.columnar.encoded import EncodedText
from logagg.columnar.slices import Codes, Mask, Slices
from logagg.parse.formats.format import Format
from logagg.parse.schemas import TEXT
from logagg.parse.text import decode, urls
from logagg.parse.text.normalize import hosts_and_paths, tidy, undoubled, whole_path

Fields = Mapping[str, Slices]

_WITH_PORT = "client_port"  # a client whose address always has a port


def _as_text(codes: Codes, values: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes), values, safe=False)


class Texts:
    """The columns of text of the accepted lines."""

    def __init__(self, fields: Fields, rows: int, fmt: Format) -> None:
        self._fields, self.rows = fields, rows
        self._escaped, self._encoded, self._doubled = fmt.escaped and not fmt.keys, fmt.encoded, fmt.doubled
        self._whole = fmt.whole
        self._host: pa.DictionaryArray | None = None  # with the hosts that targets begin with

    def column(self, name: str) -> pa.DictionaryArray:
        """Return a field; null if the format does not have it."""
        if name == "host" and self._host is not None:
            return self._host
        field = _WITH_PORT if name == "client" and _WITH_PORT in self._fields else name
        if field not in self._fields:
            return pa.nulls(self.rows, TEXT)
        if not self._fields[field].length.any():  # a product's format has fields that this log does not have
            return _as_text(np.zeros(self.rows, np.int32), pa.array([""][: self.rows], pa.string()))
        codes, distinct = self._fields[field].encode(dash=True)
        texts = decode.to_text(decode.unescape(distinct, names=field == "user") if self._escaped else distinct)
        texts = undoubled(texts) if self._doubled else texts
        tidied = "" if field in self._whole else field  # a slash would hide the host
        return _as_text(codes, tidy(tidied, texts, encoded=field in self._encoded))

    def request(self) -> tuple[pa.DictionaryArray, ...]:
        """Return method, target and protocol."""
        if "request" not in self._fields:
            return *self._request_parts(), self.column("protocol")
        codes, values = self._fields["request"].encode()
        (methods, targets, protocols) = _split_requests(decode.unescape(values) if self._escaped else values)
        method, protocol = (_as_text(spread(of_requests, codes), texts) for of_requests, texts in (methods, protocols))
        return method, _as_text(codes, targets), protocol

    def _request_parts(self) -> tuple[pa.DictionaryArray, pa.DictionaryArray]:
        """Return method, if the format has one, and target from separate fields; both are empty where one of them is
        invalid."""
        target = self._target()
        fits = ~target.equal("")
        if "method" not in self._fields:
            return pa.nulls(self.rows, TEXT), target.array()
        method = self._encoded_text("method")
        fits &= spread(_are_methods(method.values), method.codes)
        return (method.array(), target.array()) if fits.all() else (_only(method, fits), _only(target, fits))

    def _target(self) -> EncodedText:
        """Return the target, or where there is none, the path and the query."""
        if not {"path", "query"} & self._fields.keys():
            return self._without_host("target")
        target = self._without_host("path")
        if "query" in self._fields:
            target = _with_query(target, self._encoded_text("query"))
        return self._without_host("target").otherwise(target) if "target" in self._fields else target

    def _without_host(self, name: str) -> EncodedText:
        """Return a field without the hosts that its values begin with; those become the host of rows without another one."""
        texts = self._encoded_text(name)
        if name not in self._whole or name not in self._fields:
            return texts
        slashed = texts if name == "target" else texts.map(whole_path)
        if pc.all(pc.starts_with(texts.values, "/")).as_py():
            return slashed
        hosts, paths = hosts_and_paths(texts.values)
        if paths.null_count == len(paths):
            return slashed
        known = EncodedText.of(pa.chunked_array([self.column("host")]))
        found = EncodedText(texts.codes, pc.fill_null(hosts, ""))
        named, asked = (one.values.take(pa.array(one.codes)) for one in (known.filled(), found))
        same = pc.and_(pc.not_equal(asked, ""), pc.or_(pc.equal(named, ""), pc.equal(named, asked)))
        rows = np.flatnonzero(same.to_numpy(zero_copy_only=False))
        self._host = replace(known.put(rows, found.take(rows)), nulls=known.nulls).array()
        return slashed.put(rows, EncodedText(texts.codes, pc.fill_null(paths, "")).take(rows))

    def _encoded_text(self, name: str) -> EncodedText:
        """Return a field; empty text if the format does not have it."""
        if name not in self._fields:
            return EncodedText.constant(self.rows, "")
        return EncodedText.of(pa.chunked_array([self.column(name)]))


def _with_query(paths: EncodedText, queries: EncodedText) -> EncodedText:
    """Join paths and queries, each distinct pair once; a path that has a query in it keeps that."""
    pairs = pa.array(paths.codes * np.int64(len(queries.values)) + queries.codes).dictionary_encode()
    path, query = np.divmod(pairs.dictionary.to_numpy(), max(1, len(queries.values)))
    path, query = paths.values.take(pa.array(path)), queries.values.take(pa.array(query))
    query = pc.replace_substring_regex(query, r"\A\?", "")
    whole = pc.or_(pc.equal(query, ""), pc.match_substring(path, "?"))
    joined = pc.if_else(whole, path, pc.binary_join_element_wise(path, query, "?"))
    return EncodedText(pairs.indices.to_numpy(), joined)


def _are_methods(values: pa.Array) -> Mask:
    found: Mask = pc.match_substring_regex(values, r"\A[A-Z][A-Z_-]{0,19}\z").to_numpy(zero_copy_only=False)
    return found


def _only(texts: EncodedText, fits: Mask) -> pa.DictionaryArray:
    """Return text in some rows, and empty text in the others."""
    codes = np.where(fits, texts.codes, np.int32(len(texts.values)))
    return _as_text(codes, pa.concat_arrays([texts.values, pa.array([""], pa.string())]))


def _split_requests(requests: pa.Array) -> tuple[tuple[Codes, pa.Array], pa.Array, tuple[Codes, pa.Array]]:
    """Split `METHOD target HTTP/x` into methods (encoded), targets and protocols (encoded).

    All are empty if it is not an HTTP request. Escapes were undone before, so an escaped space separates like a plain one.
    """
    values = Slices.of(requests)
    methods, targets, protocols = (Slices(values.data, *places) for places in urls.split_requests(*values.places))
    (codes, method), (protocol_codes, protocol) = methods.encode(), protocols.encode()
    return (
        (codes, decode.to_text(method)),
        decode.to_text(targets.gather()),
        (protocol_codes, tidy("protocol", decode.to_text(protocol))),
    )
