import pyarrow as pa

from logagg.parse.durations import decimals, upstream_seconds


def test_decimals() -> None:
    number, valid = decimals(pa.array([b"0.25", b"3", b".1", b"1.", b"1\n", b"-", b"1e3"]))
    assert valid.tolist() == [True, True, False, False, False, False, False]
    assert number[:2].tolist() == [0.25, 3.0]


def test_upstream_seconds_are_summed_over_the_upstreams_tried() -> None:
    number, valid = upstream_seconds(pa.array([b"0.25, 0.5 : 0.25", b"-", b"", b"-, 0.5"]))
    assert valid.tolist() == [True, False, False, True]
    assert number[[0, 3]].tolist() == [1.0, 0.5]
