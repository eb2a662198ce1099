"""One pass over the rows gives the same as whole columns would, and no code is outside its table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.parse.events import kinds

RULES = np.array([0, 1, -1], np.int32)  # of three requests
BY_STATUS = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]], np.uint8)
BY_METHOD = np.array([[1, 0], [1, 1], [0, 1]], np.uint8)
KIND_OF = np.array([5, 6, 7], np.int32)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-1, 1)), max_size=20))
def test_a_kind_is_that_of_the_rule_where_both_tables_count_the_row(given: list[tuple[int, int, int]]) -> None:
    requests, statuses, methods = (
        (np.array(column, np.int32) for column in zip(*given, strict=True)) if given else [np.zeros(0, np.int32)] * 3
    )
    found = kinds.kinds(RULES, requests, statuses.astype(np.int16), methods, BY_STATUS, BY_METHOD, KIND_OF, 9)
    rule = RULES[requests]
    counted = (BY_STATUS[rule, statuses] & BY_METHOD[rule, methods]).astype(bool)
    assert found.tolist() == np.where(counted, KIND_OF[rule], 9).tolist()


@pytest.mark.parametrize(
    ("asked", "status", "method"), [(3, 0, 0), (-1, 0, 0), (0, 3, 0), (0, -1, 0), (0, 0, 2), (0, 0, -3)]
)
def test_a_row_with_a_code_outside_its_table_is_refused(asked: int, status: int, method: int) -> None:
    columns = np.array([asked], np.int32), np.array([status], np.int16), np.array([method], np.int32)
    with pytest.raises(IndexError):
        kinds.kinds(RULES, *columns, BY_STATUS, BY_METHOD, KIND_OF, 9)


def test_a_visit_from_the_same_site_has_a_page_it_came_from() -> None:
    sites, referrers = np.array([0, 0, 1, 1, 0], np.int32), np.array([0, 1, 1, 0, 1], np.int32)
    of = np.array([2, 2, 2, 2, 3], np.int32)
    own, names = np.array([10, 11], np.int32), np.array([11, 10], np.int32)
    assert kinds.from_pages(of, 2, own, sites, names, referrers).tolist() == [-1, 1, -1, 0, -1]
    with pytest.raises(IndexError):
        kinds.from_pages(of, 2, own, sites, names, referrers + np.int32(1))


def test_an_entry_is_of_a_kind_that_begins_something_and_not_from_its_own_site() -> None:
    sites, referrers = np.array([0, 0, 1, 1, 0], np.int32), np.array([0, 1, 1, 0, 2], np.int32)
    of = np.array([1, 1, 2, 0, 2], np.int32)
    begin = np.array([0, 1, 1], np.uint8)
    own, names = np.array([10, 11], np.int32), np.array([11, 10, -1], np.int32)
    assert kinds.entries(of, begin, own, sites, names, referrers).tolist() == [0, -1, 1, -1, 2]
    for wrong in (
        (of + np.int32(1), sites, referrers),
        (of, sites - np.int32(1), referrers),
        (of, sites, referrers + np.int32(1)),
    ):
        with pytest.raises(IndexError):
            kinds.entries(wrong[0], begin, own, wrong[1], names, wrong[2])
    with pytest.raises(ValueError, match="all rows"):
        kinds.entries(of, begin, own, sites[:2], names, referrers)
