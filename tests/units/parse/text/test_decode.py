import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logagg.parse.text.decode import decode_percent, to_text, unescape


def binary(*values: bytes) -> pa.Array:
    return pa.array(values, pa.binary())


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (rb"no escapes", b"no escapes"),
        (rb"\"quoted\" \\ back", b'"quoted" \\ back'),
        (rb"\x41\x7a\x0A", b"Az\n"),
        (rb"\n\r\t\b\f\v", b"\n\r\t\b\f\v"),
        (rb"\x4", rb"\x4"),
        (rb"\xzz \q", rb"\xzz \q"),
        (rb"\\x41", rb"\x41"),
        (rb"\x5Cn", rb"\n"),
        (b"ends in \\", b"ends in \\"),
        (b"", b""),
    ],
)
def test_unescape(raw: bytes, plain: bytes) -> None:
    assert unescape(binary(b"x\\", raw, b"\\n"))[1].as_py() == plain


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (rb"DOMAIN\fred", rb"DOMAIN\fred"),
        (rb"DOMAIN\\nina", rb"DOMAIN\nina"),
        (rb"DOMAIN\x5Ctom", rb"DOMAIN\tom"),
        (rb"a\"b", b'a"b'),
        (rb"\xyz", rb"\xyz"),
    ],
)
def test_before_a_letter_of_a_users_name_a_backslash_stands_for_itself(raw: bytes, plain: bytes) -> None:
    assert unescape(binary(raw), names=True)[0].as_py() == plain


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        ("a%20b+c", "a b c"),
        ("%zz%2541", "%zz%41"),
        ("%D0%B9", "й"),
        ("%ff!", "\N{REPLACEMENT CHARACTER}!"),
        ("%4", "%4"),
    ],
)
def test_decode_percent(encoded: str, decoded: str) -> None:
    assert decode_percent(pa.array(["plain", encoded, "%4", "1"])).to_pylist() == ["plain", decoded, "%4", "1"]


@pytest.mark.slow
@given(st.lists(st.binary(max_size=12)))
def test_to_text_replaces_as_python_does(values: list[bytes]) -> None:
    assert to_text(binary(*values)).to_pylist() == [value.decode("utf-8", "replace") for value in values]


@given(st.lists(st.text(alphabet='\\x4z"nй', max_size=10)))
def test_unescape_works_value_by_value(values: list[str]) -> None:
    raw = [value.encode() for value in values]
    together = unescape(binary(*raw)).to_pylist()
    assert together == [unescape(binary(value))[0].as_py() for value in raw]
