"""Which rows are entries, and the columns of a batch: one combination of site, referrer and tags at a time gives the same."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.config.rules import RuleConfig
from logagg.config.sections import Config
from logagg.parse.channels import entries
from logagg.parse.channels.groups import NAMES
from tests.units.parse.channels.arrived import SITE, Arrived, arrived, classified, line, told

NO_ENTRY = Arrived(None, None, None, "")
FIELDS = ("channel", "referrer_source", "medium")
HOSTS = st.sampled_from(
    ["", "-", "https://www.google.com/", f"https://{SITE}/", f"https://www.{SITE}/a", "https://blog.example.org/", "x"]
)
QUERIES = st.sampled_from(
    ["", "a=b", "utm_source=a", "utm_source=a&utm_campaign=c", "gclid=1", "campaign=d&utm_campaign=e", "utm_source"]
)
SITES = st.sampled_from([SITE, f"www.{SITE}", "example.com", "blog.example.org"])
PATHS = st.sampled_from(["/", "/a.css", "/click", "/imp", "/conv"])
VISITS = st.lists(st.tuples(HOSTS, QUERIES, PATHS, SITES, st.sampled_from([200, 302, 404])), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("kwargs", "kind"),
    [
        ({"referrer": f"https://{SITE}/"}, "pageview"),
        ({"referrer": f"https://www.{SITE}/", "query": "utm_source=a&utm_campaign=b"}, "pageview"),
        ({"path": "/a.css"}, "asset"),
        ({"path": "/imp", "query": "utm_source=a"}, "impression"),
        ({"path": "/conv"}, "conversion"),
        ({"status": 404}, "other"),
        ({"method": "POST"}, "other"),
        ({"path": "/click", "referrer": f"https://{SITE}/a"}, "click"),
    ],
)
def test_no_entry(kwargs: dict[str, object], kind: str) -> None:
    events = classified([line(**kwargs)])  # type: ignore[arg-type]
    assert events["kind"].to_pylist() == [kind]
    assert told(events) == [NO_ENTRY]
    assert all(events[name].null_count == 1 for name in FIELDS)


def test_clicks_are_entries() -> None:
    [found] = told(classified([line("https://blog.example.org/", "campaign=tea", path="/click")]))
    assert found == ("Referral", "blog.example.org", "referral", "tea")


def test_a_campaign_is_that_of_the_tracking_request_or_else_of_a_tagged_page_view() -> None:
    assert arrived("", "utm_source=a&utm_campaign=spring%20tea").campaign == "spring tea"
    assert arrived("", "utm_source=a&mtm_campaign=b&utm_campaign=c").campaign == "c"
    own = RuleConfig("pageview", prefix=("/tea",), status=(200,), parameters={"campaign": ("c",)})
    config = Config(rules=(own,))
    assert arrived("", "utm_campaign=a&c=b", config).campaign == "b"  # the rule's
    assert arrived("", "utm_campaign=a", config).campaign == "a"
    click = RuleConfig("click", path=("/tea",), status=(200,), methods=("GET",), parameters={"campaign": ("c",)})
    found = arrived("", "utm_source=x&utm_campaign=a", Config(rules=(click,)))
    assert (found.channel, found.campaign) == ("Organic Social", "")  # a click has the campaign that its rule says


@pytest.mark.slow
@given(VISITS)
def test_rows_do_not_depend_on_each_other(visits: list[tuple[str, str, str, str, int]]) -> None:
    lines = [
        line(referrer, query, path=path, site=site, status=status) for referrer, query, path, site, status in visits
    ]
    events = classified(lines)
    assert told(events) == [told(classified([one]))[0] for one in lines]
    for name in FIELDS:
        [chunk] = events[name].chunks
        assert chunk.dictionary.null_count == 0
        assert len(set(chunk.dictionary.to_pylist())) == len(chunk.dictionary)
        chunk.validate(full=True)


@pytest.mark.slow
@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_have_a_channel(referrer: bytes, query: bytes) -> None:
    unsafe = bytes.maketrans(b'\n\r" \x00', b"_____")
    made = b'%s 192.0.2.1 [02/Mar/2026:10:00:00 +0000] "GET /?%s HTTP/1.1" 200 "%s"' % (
        SITE.encode(),
        query.translate(unsafe),
        referrer.translate(unsafe),
    )
    events = classified([made])
    if events.num_rows:
        [found] = told(events)
        assert found.channel is None or found.channel in NAMES
        assert len({found.channel is None, found.referrer_source is None, found.medium is None}) == 1


@pytest.mark.slow
@given(st.lists(st.binary(max_size=12).map(lambda key: key.hex()), max_size=4).map("&utm_source=".join))
def test_any_tags_give_text(query: str) -> None:
    assert arrived("", query).channel in NAMES


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=50), st.booleans()
)
def test_combinations(rows: list[tuple[int, int, int]], sparse: bool) -> None:
    columns = [np.array(column, np.int32) for column in zip(*rows, strict=True)]
    size = 1 << 20 if sparse else 5  # a table of all combinations, or a sort
    chosen, numbers = entries._combined([(column, size) for column in columns])
    found = list(zip(*(column.tolist() for column in chosen), strict=True))
    assert [found[number] for number in numbers] == rows
    assert len(set(found)) == len(found)


def test_a_batch_without_rows() -> None:
    events = classified([])
    assert events.num_rows == 0
    assert pa.types.is_dictionary(events["channel"].type)
