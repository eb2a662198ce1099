"""Rules over columns: the kinds of requests, and the parameters of their query strings."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.columnar.encoded import EncodedText
from logagg.columnar.slices import Slices
from logagg.config.rules import KINDS, PARAMETERS, RuleConfig
from logagg.config.sections import Config
from logagg.parse.events.rules import Rules
from logagg.parse.text.urls import find_values

DEFAULT = Rules.of(Config())
CLICK = next(index for index, rule in enumerate(DEFAULT.rules) if rule.kind == "click")


def kinds(rules: Rules, requests: list[tuple[str, str | None, int]]) -> list[str]:
    paths, methods, statuses = zip(*requests, strict=True)
    matched = rules.match(pa.array(paths, pa.string()))
    words = EncodedText.of(pa.chunked_array([pa.array(methods, pa.string()).dictionary_encode()]))
    rows = np.arange(len(requests), dtype=np.int32)
    return [KINDS[kind] for kind in rules.kinds(matched, rows, np.array(statuses, np.int16), words)]


def parameters(query: str, **names: tuple[str, ...]) -> dict[str, str]:
    rules = Rules((RuleConfig("click", path=("/c",), parameters=names or PARAMETERS),))
    return {name: values[0] for name, values in taken(rules, [query], np.zeros(1, np.int32)).items()}


def taken(rules: Rules, queries: list[str], matched: np.ndarray) -> dict[str, list[str]]:
    found = rules.parameters(Slices.of(pa.array(queries, pa.string())), matched)
    return {name: words.array().to_pylist() for name, words in found.items()}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/imp", "impression"),
        ("/impression", "impression"),
        ("/pixel.gif", "impression"),
        ("/click", "click"),
        ("/conversion", "conversion"),
        ("/conv", "conversion"),
        ("/Click", "pageview"),
        ("/click/", "pageview"),
        ("/clicks", "pageview"),
        ("/", "pageview"),
        ("/a/style.CSS", "asset"),
        ("/.css", "asset"),
        ("/css", "pageview"),
        ("/a.css/", "pageview"),
        ("/a.css\n", "pageview"),
    ],
)
def test_default_rules_know_tracking_paths_and_assets(path: str, kind: str) -> None:
    assert kinds(DEFAULT, [(path, "GET", 200)]) == [kind]


@pytest.mark.parametrize("status", [200, 204, 302, 304])
def test_answered_tracking_requests_count(status: int) -> None:
    assert kinds(DEFAULT, [("/imp", "GET", status), ("/click", "POST", status)]) == ["impression", "click"]


@pytest.mark.parametrize("status", [100, 201, 206, 301, 400, 404, 499, 500, 503, 999, 0])
def test_unanswered_tracking_requests_are_other(status: int) -> None:
    assert kinds(DEFAULT, [("/imp", "GET", status)]) == ["other"]


def test_an_asset_is_one_with_any_status() -> None:
    assert kinds(DEFAULT, [("/a.css", "HEAD", 404), ("/a.css", None, 500)]) == ["asset", "asset"]


def test_an_extension_may_have_dots() -> None:
    rules = Rules((), assets=("tar.gz", "js"))
    paths = ["/a.tar.gz", "/a.b.TAR.GZ", "/tar.gz", "/a.gz", "/a.js", "/.js", "js", ""]
    assert rules.match(pa.array(paths)).tolist() == [0, 0, -1, -1, 0, 0, -1, -1]


@pytest.mark.parametrize("status", [200, 206, 299, 304])
def test_a_successful_get_that_no_rule_matches_is_a_page_view(status: int) -> None:
    requests = [
        ("/", "GET", status),
        ("/", None, status),
        ("/", "POST", status),
        ("/", "HEAD", status),
        ("/", "GET", 302),
    ]
    assert kinds(DEFAULT, requests) == ["pageview", "pageview", "other", "other", "other"]


def test_methods_that_do_not_count_are_other() -> None:
    requests = [("/imp", method, 200) for method in ("HEAD", "OPTIONS", "", "get", None, "GET")]
    assert kinds(DEFAULT, requests) == ["other", "other", "other", "other", "impression", "impression"]


def test_head_never_counts_even_where_a_rule_lists_it() -> None:
    rules = Rules((RuleConfig("click", path=("/go",), methods=("HEAD", "GET")), RuleConfig("pageview", prefix=("/p",))))
    assert kinds(rules, [("/go", "HEAD", 200), ("/go", "GET", 500), ("/p", "HEAD", 404)]) == [
        "other",
        "click",
        "pageview",
    ]


def test_all_conditions_of_a_rule_must_hold_and_any_value_of_each() -> None:
    rules = Rules((RuleConfig("click", prefix=("/t/", "/u/"), suffix=(".gif", ".png"), regex="[0-9]+"),))
    paths = ["/t/1.gif", "/u/2.png", "/t/x.gif", "/t/1.jpg", "/v/1.gif"]
    assert rules.match(pa.array(paths)).tolist() == [0, 0, -1, -1, -1]


def test_the_first_rule_that_matches_decides() -> None:
    rules = Rules((RuleConfig("click", regex="^/a"), RuleConfig("impression", prefix=("/",))))
    assert rules.match(pa.array(["/ab", "/b", "", None])).tolist() == [0, 1, -1, -1]


def test_a_rule_may_belong_to_a_site() -> None:
    rules = Rules((RuleConfig("click", path=("/go",), site=("a.example",)),))
    assert rules.sited and not DEFAULT.sited
    assert rules.match(pa.array(["/go", "/go"]), pa.array(["a.example", "b.example"])).tolist() == [0, -1]
    assert rules.match(pa.array(["/go"])).tolist() == [-1]


def test_no_rows_and_no_rules() -> None:
    assert DEFAULT.match(pa.array([], pa.string())).tolist() == []
    assert Rules(()).match(pa.array(["/"])).tolist() == [-1]
    assert taken(DEFAULT, [], np.zeros(0, np.int32))["ad"] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ad=246&campaign=c6&placement=p4&id=1a2b", ("c6", "246", "p4", "1a2b")),
        ("utm_campaign=u&ad=1", ("u", "1", "", "")),
        ("utm_campaign=u&campaign=c", ("c", "", "", "")),
        ("campaign=&utm_campaign=u", ("", "", "", "")),
        ("ad=1&ad=2", ("", "1", "", "")),
        ("bad=1&xad=2&adx=3", ("", "", "", "")),
        ("&&ad=1&", ("", "1", "", "")),
        ("ad", ("", "", "", "")),
        ("ad=", ("", "", "", "")),
        ("ad=a=b", ("", "a=b", "", "")),
        ("campaign=spring+sale%21&ad=%e2%82%ac", ("spring sale!", "€", "", "")),
        ("campaign=100%&ad=%zz%4", ("100%", "%zz%4", "", "")),
        ("campaign=%ff", ("\ufffd", "", "", "")),
        ("campaign=a%26ad=b", ("a&ad=b", "", "", "")),
        ("", ("", "", "", "")),
    ],
)
def test_parameters_of_a_query(query: str, expected: tuple[str, str, str, str]) -> None:
    assert tuple(parameters(query).values()) == expected


def test_values_are_cut_after_decoding() -> None:
    rules = Rules((RuleConfig("click", parameters={"ad": ("ad",)}),), limit=3)
    assert taken(rules, ["ad=%c3%a9%c3%a9%c3%a9%c3%a9"], np.zeros(1, np.int32))["ad"] == ["ééé"]


def test_each_rule_takes_its_own_keys() -> None:
    rules = Rules((RuleConfig("click", parameters={"ad": ("a",)}), RuleConfig("asset"), DEFAULT.rules[CLICK]))
    queries = ["ad=0&a=1", "ad=2&a=3", "ad=4&a=5", "ad=6&a=7", "ad=8&a=9"]
    found = taken(rules, queries, np.array([2, 0, -1, 1, 2], np.int32))
    assert found["ad"] == ["0", "3", "", "", "8"]
    assert found["campaign"] == [""] * 5


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
KEYS = st.sampled_from(["campaign", "utm_campaign", "utm_campaigns", "ad", "a", "placement", "", "id"])


@pytest.mark.slow
@given(st.lists(st.lists(st.tuples(KEYS, TEXTS), max_size=6), max_size=6))
def test_parameters_equal_the_standard_library(pairs: list[list[tuple[str, str]]]) -> None:
    queries = [urlencode(some) for some in pairs]
    found = taken(DEFAULT, queries, np.full(len(queries), CLICK, np.int32))
    for row, query in enumerate(queries):
        values = dict(reversed(parse_qsl(query, keep_blank_values=True)))
        campaign = values.get("campaign", values.get("utm_campaign", ""))
        assert found["campaign"][row] == campaign
        assert found["ad"][row] == values.get("ad", "")


@given(st.lists(st.text("ad=&%1+é", max_size=20), max_size=8))
def test_any_query_string_has_an_answer(queries: list[str]) -> None:
    places = Slices.of(pa.array(queries, pa.string()))
    starts, ends = find_values(places.data, places.start, places.end, [[b"ad", b"d"]])
    found = [places.data[start:end].tobytes().decode() for start, end in zip(starts[0], ends[0], strict=True)]
    for row, query in enumerate(queries):
        fields = [field.partition("=") for field in query.split("&") if "=" in field]
        of = {key: [value for name, _, value in fields if name == key] for key in ("ad", "d")}
        assert found[row] == (of["ad"] or of["d"] or [""])[0]
