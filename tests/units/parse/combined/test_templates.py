"""The templates that are written from lines."""

import pytest

from logagg.parse.combined.templates import MOST_TEMPLATES, open_template, templates
from logagg.parse.combined.tokens import tokens_of

pytestmark = pytest.mark.unit

NOW = 1_795_900_000.0
TIME = "[27/Nov/2026:09:00:00 +0100]"
ANSWER = '"GET /p HTTP/1.1" 200 512 "-" "Mozilla/5.0"'
REST = '[<time_local>] "<request>" <status> <bytes> "<referrer>" "<agent>"'


def template(*lines: str) -> str:
    return templates([line.encode() for line in lines], NOW)[0]


@pytest.mark.parametrize(
    ("before", "written"),
    [
        ("198.51.100.1 - -", "<client> - <user>"),
        ("198.51.100.1 - Jane Doe", "<client> - <user>"),
        ("198.51.100.1 - 10.0.0.1 - -", "<:addresses> - <client:peer> - <user>"),
        ("198.51.100.1 - [198.51.100.1] - jane", "<:addresses> - [<client:peer>] - <user>"),
        ("198.51.100.1 frank jane", "<client> <ident> <user>"),
        ("198.51.100.1 jane", "<client> <user>"),
        ("198.51.100.1 -", "<client> -"),
        ("198.51.100.1", "<client>"),
        ("2001:db8::7 - Jane Doe", "<client> - <user>"),
        ("198.51.100.1, 10.0.0.2, 127.0.0.1 - -", "<client> - <user>"),
        ("dialup-0.isp.example.net - -", "<client> - <user>"),
        ("web1 - -", "<client> - <user>"),
        ("- - -", "<client> - <user>"),
        ("www.example.com 198.51.100.1 - -", "<host:site> <client:peer> - <user>"),
        ("www.example.com:443 198.51.100.1 - -", "<host:site> <client:peer> - <user>"),
        ("web-1:80 198.51.100.1 - -", "<host:site> <client:peer> - <user>"),
        ("www.example.com - 198.51.100.1 - Jane Doe", "<host:site> - <client:peer> - <user>"),
        ("198.51.100.1 www.example.com - -", "<client:peer> <host:site> - <user>"),
        ("198.51.100.1 www.example.com jane", "<client:peer> <host:site> <user>"),
        ('"www.example.com" 198.51.100.1 - -', '"<host:site>" <client:peer> - <user>'),
        ("www.example.com dialup-0.isp.example.net - -", "<host:site> <client> - <user>"),
        ("203.0.113.9, 10.0.0.2 10.0.0.1 - -", "<:addresses> <client:peer> - <user>"),
        ("- 10.0.0.1 - -", "- <client> - <user>"),
        ("DE 198.51.100.1 - -", "<country:country> <client:peer> - <user>"),
        ("192.0.2.80 198.51.100.1 - -", "<:addresses> <client:peer> - <user>"),
    ],
)
def test_what_stands_before_the_time(before: str, written: str) -> None:
    assert template(f"{before} {TIME} {ANSWER}") == f"{written} {REST}"


@pytest.mark.parametrize(
    ("behind", "written"),
    [
        ("", ""),
        (' "203.0.113.9"', ' "<forwarded:addresses>"'),
        (' "203.0.113.9:40000"', ' "<forwarded:sockets>"'),
        (' "10.0.0.5:80"', ' "<:sockets>"'),
        (' "-"', ' "<:dash>"'),
        (" 0.005", " <seconds:decimals>"),
        (" 0.005 0.001", " <seconds:decimals> <upstream_seconds:decimals>"),
        (" 0.0046", " <seconds:decimals>"),
        (" 12ms", " <seconds:bare>"),
        (" - 12.345 ms", " <:dash> <milliseconds:decimals> <:bare>"),
        (" 12 ms", " <milliseconds:digits> <:bare>"),
        (" latency=0.012000001s", " latency=<seconds:bare>"),
        (" rt:0.005 urt:-", " rt:<seconds:decimals> urt:<:dash>"),
        (" OK", " <:bare>"),
        (" 0.001 0.005", " <upstream_seconds:decimals> <seconds:decimals>"),
        (" 0.005 0.001, 0.002 : 0.001 200, 502", " <seconds:decimals> <upstream_seconds:decimals> <:bare>"),
        (' rt=0.005 urt="0.001, 0.003"', ' rt=<seconds:decimals> urt="<upstream_seconds:decimals>"'),
        (" 45000", " <:bare>"),
        (" 1795780800.123", " <:bare>"),
        (" 3.14", " <:bare>"),
        (" 2/2345678", " <:digits>/<microseconds:digits>"),
        (" 0/45000", " <:digits>/<microseconds:digits>"),
        (" 12/45000", " <:bare>"),
        (" 2 2345678", " <:bare> <microseconds:digits>"),
        (" 2345678 2", " <microseconds:digits> <:bare>"),
        (" 0 45000", " <:bare> <:bare>"),
        (' "HIT"', ' "<cache:cache>"'),
        (" TLSv1.3 https", " <tls:bare> <scheme:bare>"),
        (' "www.example.com"', ' "<host:hostname>"'),
        (' "sid=0; lang=en"', ' "<:other>"'),
        (" [shop-web-80] []", " [<:other>] [<:dash>]"),
        (" host=index.php", " host=<:bare>"),
    ],
)
def test_what_stands_behind_the_agent(behind: str, written: str) -> None:
    assert template(f"198.51.100.1 - - {TIME} {ANSWER}{behind}") == f"<client> - <user> {REST}{written}"


def test_values_between_time_and_request_and_before_the_referrer() -> None:
    line = f'198.51.100.1 - - {TIME} www.example.com "GET /p HTTP/1.1" 200 512 0.005 "-" "Mozilla/5.0"'
    assert template(line) == (
        '<client:peer> - <user> [<time_local>] <host:site> "<request>" <status> <bytes> <seconds:decimals> "<referrer>" "<agent>"'
    )


def test_values_between_request_and_status() -> None:
    line = f'198.51.100.1 - - {TIME} "GET /p HTTP/1.1" www.example.com 200 512 "-" "Mozilla/5.0"'
    assert template(line) == (
        '<client> - <user> [<time_local>] "<request>" <host:site> <status> <bytes> "<referrer>" "<agent>"'
    )


@pytest.mark.parametrize(
    ("before", "written"),
    [
        ("[27/Nov/2026:09:00:00 +0100] 198.51.100.1 -", "[<time_local>] <client> -"),
        ("[27/Nov/2026:09:00:00 +0100] 198.51.100.1 www.example.com", "[<time_local>] <client:peer> <host:site>"),
        ("2026-11-27T09:00:00+01:00 198.51.100.1 - -", "<time_iso8601> <client> - <user>"),
        ("2026-11-27 09:00:00 198.51.100.1 - -", "<date> <clock> <client> - <user>"),
        ("2026-11-27 09:00:00,123 198.51.100.1 - -", "<date> <clock> <client> - <user>"),
        ("1795766400.123 198.51.100.1 - -", "<time_epoch> <client> - <user>"),
        ("198.51.100.1 -  27/Nov/2026:09:00:00 +0100", "<client> -  <time_local>"),
        ("198.51.100.1 - - [27/Nov/2026 09:00:00]", "<client> - <user> [<time_local>]"),
        ("198.51.100.1 - - [Fri, 27 Nov 2026 09:00:00 GMT]", "<client> - <user> [<time_any>]"),
        ("[2026-11-27 09:00:00 +0100] [7] [INFO] 198.51.100.1:5 - - [27/Nov/2026:09:00:00 +0100]",
         "[<:other>] [<:other>] [<:other>] <client:peer> - <user> [<time_local>]"),
    ],
)  # fmt: skip
def test_times(before: str, written: str) -> None:
    answer = '"<request>" <status> <bytes> "<referrer>" "<agent>"'
    assert template(f"{before} {ANSWER}") == f"{written} {answer}"


def test_a_time_before_a_quote() -> None:
    line = '198.51.100.1 - - [27/Nov/2026:09:00:00 +0100]"GET /p HTTP/1.1" 200 512 4d7c2079'
    assert template(line) == '<client> - <user> [<time_local>]"<request>" <status> <bytes> <:bare>'


def test_a_name_like_a_host_where_others_have_no_user() -> None:
    lines = [f"198.51.100.1 {name} {TIME} {ANSWER}" for name in ("jane.doe", "-")]
    assert "<client> <user> [" in templates([line.encode() for line in lines], NOW)[0]
    assert template(lines[0]).startswith("<client:peer> <host:site> [")


def answered(values: str, *rows: str) -> str:
    """Return the template of what is behind the request, of lines with these values there."""
    lines = [f'198.51.100.1 - - {TIME} "GET /p HTTP/1.1" {values.format(*row.split())}' for row in rows]
    return template(*lines).partition('"<request>" ')[2]


def test_the_status_is_known_by_all_its_values() -> None:
    some = ("0.005 512 200 1234", "0.120 404 200 0", "0.000 201 304 0", "1.234 700 502 341")
    assert answered('{} {} {} {} "-" "curl/8.5.0"', *some) == (
        '<seconds:decimals> <:bare> <status> <bytes> "<referrer>" "<agent>"'
    )
    assert (
        answered('{} {} "-" "curl/8.5.0"', "200 304", "404 200", "302 200", "999 404")
        == '<status> <bytes> "<referrer>" "<agent>"'
    )


def test_the_size_is_none_where_the_response_has_no_body() -> None:
    some = ("200 433 12345", "304 512 0", "204 700 -", "404 201 2345")
    assert answered('{} {} {} "-" "curl/8.5.0"', *some) == '<status> <:bare> <bytes> "<referrer>" "<agent>"'
    assert answered('{} {} {} "-" "curl/8.5.0"', *some[:2]) == '<status> <bytes> <:bare> "<referrer>" "<agent>"'
    milliseconds = ("200 12345 433", "304 0 0", "204 - 3", "404 2345 1")
    assert answered('{} {} {} "-" "curl/8.5.0"', *milliseconds) == '<status> <bytes> <:bare> "<referrer>" "<agent>"'
    lengths = ("200 - 12345", "200 - 0", "200 - 345")
    assert answered('{} {} {} "-" "curl/8.5.0"', *lengths) == '<status> <:dash> <bytes> "<referrer>" "<agent>"'


def test_referrer_and_agent_are_told_by_their_values() -> None:
    url, agent = "https://www.example.org/", "curl/8.5.0"
    swapped = (f"{agent} {url}", f"{agent} -", f"Mozilla/5.0 {url}")
    assert answered('200 5 "{}" "{}"', *swapped) == '<status> <bytes> "<agent>" "<referrer>"'
    assert answered('200 5 "{}" "{}"', *swapped[:2]) == '<status> <bytes> "<referrer>" "<agent>"'
    forwarded = (f"192.0.2.1 {url} {agent}", f"- - {agent}", f"192.0.2.2 - {agent}")
    assert answered('200 5 "{}" "{}" "{}"', *forwarded) == (
        '<status> <bytes> "<forwarded:addresses>" "<referrer>" "<agent>"'
    )
    hosts = (f"www.example.com {url} {agent}", f"shop.example.com - {agent}", f"shop.example.com - {agent}")
    assert answered('200 5 "{}" "{}" "{}"', *hosts) == '<status> <bytes> "<host:hostname>" "<referrer>" "<agent>"'


def test_of_two_addresses_the_one_that_varies_is_the_client() -> None:
    lines = [f"198.51.100.{number} 192.0.2.80 - - {TIME} {ANSWER}" for number in range(3)]
    assert template(*lines) == f"<client:peer> <:addresses> - <user> {REST}"


def test_a_place_is_what_all_its_values_are() -> None:
    line = f"198.51.100.1 - - {TIME} {ANSWER}"
    assert template(f'{line} "DE"', f'{line} "Singapore"') == f'<client> - <user> {REST} "<:other>"'
    assert template(f'{line} "-"', f'{line} "203.0.113.9"') == f'<client> - <user> {REST} "<forwarded:addresses>"'


def test_lines_with_other_values_are_of_another_format() -> None:
    line = f"198.51.100.1 - - {TIME} {ANSWER}"
    lines = [line, line, f"{line} 0.005"] + [f"{line} {'x ' * number}" for number in range(9)]
    written = templates([one.encode() for one in lines], NOW)
    assert written[0] == f"<client> - <user> {REST}"
    assert len(written) == MOST_TEMPLATES


def test_anything_may_follow_the_agent() -> None:
    line = f'198.51.100.1 - - {TIME} {ANSWER} "half of a value [x'.encode()
    assert templates([line], NOW) == []
    assert open_template([line], NOW) == f"<client> - <user> {REST} <>"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "rubbish",
        f"198.51.100.1 - - {TIME}",
        f'198.51.100.1 - - {TIME} "GET /cut',
        f"198.51.100.1 - - [99/Foo/2026] {ANSWER}",
        f'198.51.100.1 - - {TIME} "GET /p HTTP/1.1" abc 512 "-" "Mozilla/5.0"',
        f'198.51.100.1 - - {TIME} "GET /p HTTP/1.1" abc 404 "-" "Mozilla/5.0"',
        '2026/11/27 09:00:00 [error] 17#17: *1 open() failed, client: 192.0.2.66, request: "GET / HTTP/1.1"',
        f"198.51.100.1 - - {TIME} {ANSWER}" + " x" * 5000,
    ],
)
def test_other_lines_have_no_template(line: str) -> None:
    assert templates([line.encode()], NOW) == []


def test_tokens_are_written_in_some_way() -> None:
    tokens = tokens_of(rb'a "b \" c" [d e] f=1 g="2 3" ')
    assert tokens is not None
    assert [(token.value, token.marks, token.key) for token in tokens] == [
        (b"a", b"", b""),
        (rb"b \" c", b'""', b""),
        (b"d e", b"[]", b""),
        (b"1", b"", b"f="),
        (b"2 3", b'""', b"g="),
    ]
