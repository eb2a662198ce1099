"""The envelopes that logagg takes off, and their place in the name of a format: `cri+combined`, `kubectl+timestamp+main`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Envelope:
    """The text around a line: a header before it, or an object of JSON in which the line is a string."""

    name: str
    writers: str  # the programs that write it
    example: str
    key: str = ""  # of the string that is the line; "": a header
    in_parts: bool = False  # a long line may come in parts
    bytes_as_numbers: bool = False  # a line that is not text is an array of numbers
    certain: bool = True  # a line without an envelope hardly looks like it
    times: tuple[str, ...] = ()  # keys of the time at which the line was written, the preferred one first
    begins_with_time: bool = False  # which may be one with its year and offset
    column: int = 0  # the number of the value of CSV that is the line


_TIMES = ("@timestamp", "timestamp", "time", "date")
COLOURS = "colours"
_ALL = (
    Envelope(
        "cri",
        "Kubernetes with containerd or CRI-O, Podman",
        "2026-11-27T08:00:00.1Z stdout F LINE",
        in_parts=True,
        begins_with_time=True,
    ),
    Envelope(
        "docker",
        "Docker's json-file",
        r'{"log":"LINE\n","stream":"stdout","time":"2026-11-27T08:00:00.1Z"}',
        key="log",
        in_parts=True,
        times=("time",),
    ),
    Envelope(
        "journal",
        "journalctl -o json",
        '{"MESSAGE":"LINE","_SYSTEMD_UNIT":"nginx.service"}',
        key="MESSAGE",
        bytes_as_numbers=True,
        times=("__REALTIME_TIMESTAMP",),
    ),
    Envelope(
        COLOURS,
        "programs on a terminal, such as docker compose, Gin, Flask: the colours are left out",
        "ESC[32mLINE ESC[0m",
    ),
    Envelope("kubectl", "kubectl logs --prefix", "[pod/web-5d4f/nginx] LINE"),
    Envelope("compose", "docker compose logs, docker service logs", "web-1  | LINE"),
    Envelope(
        "fluentd",
        "fluentd, Fluent Bit: out_file",
        '2026-11-27T08:00:00+00:00 TAB nginx.access TAB {"message":"LINE"}',
        begins_with_time=True,
    ),
    Envelope(
        "syslog",
        "syslog daemons (RFC 3164, RFC 5424), nginx's syslog:, journalctl -o short",
        "<190>Nov 27 08:00:00 web1 nginx[812]: LINE",
        begins_with_time=True,
    ),
    Envelope("untagged", "syslog daemons, without the program", "Nov 27 08:00:00 web1 LINE", begins_with_time=True),
    Envelope(
        "timestamp", "docker logs -t, kubectl logs --timestamps", "2026-11-27T08:00:00.1Z LINE", begins_with_time=True
    ),
    Envelope("stern", "stern", "web-5d4f nginx LINE", certain=False),
    Envelope("indented", "rsyslog's template %msg%", " LINE", certain=False),
    Envelope(
        "message",
        "Filebeat, Vector, Logstash, stern -o json",
        '{"message":"LINE"}',
        key="message",
        certain=False,
        times=_TIMES,
    ),
    Envelope("log", "Fluent Bit, fluentd", '{"log":"LINE"}', key="log", certain=False, times=_TIMES),
    Envelope("line", "logcli -o jsonl", '{"line":"LINE"}', key="line", certain=False, times=_TIMES),
    Envelope(
        "textPayload",
        "Google Cloud Logging",
        '{"textPayload":"LINE"}',
        key="textPayload",
        certain=False,
        times=_TIMES,
    ),
    Envelope("short_message", "GELF", '{"short_message":"LINE"}', key="short_message", certain=False, times=_TIMES),
)
MOST_COLUMNS = 9  # of CSV that may be the line
_CSV = tuple(
    Envelope(
        f"csv{number}",
        "exports of CloudWatch, Splunk and Grafana: the line is a value of CSV",
        '"2026-11-27 08:00:00","LINE"',
        certain=False,
        column=number,
    )
    for number in range(1, MOST_COLUMNS + 1)
)
ENVELOPES = {one.name: one for one in (*_ALL, *_CSV)}  # in the order in which detection tries them
DEEPEST = 4  # envelopes in one another


def split(name: str) -> tuple[str, str]:
    """Split the name of a format into its envelopes, the outermost first, and the format inside: `cri`, `combined`."""
    envelopes, inside = list[str](), name
    while (parts := inside.partition("+"))[0] in ENVELOPES and len(envelopes) < DEEPEST:
        envelopes.append(parts[0])
        inside = parts[2]
    return "+".join(envelopes), inside


def join(envelope: str, name: str) -> str:
    """Return the name of a format within envelopes."""
    return f"{envelope}+{name}" if envelope else name


def named(envelope: str) -> list[Envelope]:
    """Return envelopes by their names, the outermost first."""
    return [ENVELOPES[name] for name in envelope.split("+")] if envelope else []


def in_parts(envelope: str) -> Envelope | None:
    """Return the outermost envelope, if a line may come in parts in it."""
    return next((one for one in named(envelope)[:1] if one.in_parts), None)


def is_json(envelope: str) -> bool:
    """Tell whether a line is in an object of JSON."""
    return any(one.key for one in named(envelope))


def timed(envelope: str) -> tuple[str, Envelope] | None:
    """Return the outermost envelope with a time of writing, and those around it; None if none has one."""
    names = envelope.split("+")
    for at, one in enumerate(named(envelope)):
        if one.times or one.begins_with_time:
            return "+".join(names[:at]), one
    return None
