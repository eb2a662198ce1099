"""The rollups as data: grain, dimensions, measures.

A rollup is one table of the lake and one view of the catalog. Its rows are additive: the rows of one key may lie in
several files and are summed when read. A rollup is made of one or more *parts*: each part selects events, maps dimensions
to event columns, and names the measures that it adds; other measures are zero in its rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from logagg.rollup.conditions import AtLeast, Both, Condition, Either, IsTrue, NotNull, OneOf

Kind = Literal["count", "sum", "uniques", "from_other_part"]

TIMESTAMP = pa.timestamp("us", "UTC")
ENCODED = pa.dictionary(pa.int32(), pa.string())  # text until it is written; in a file that is an encoding, not a type
SKETCH = pa.list_(pa.uint64())
# The touches before a conversion, the last one at the end.
PATH = pa.list_(
    pa.struct(
        [("ts", TIMESTAMP)]
        + [(name, pa.string()) for name in ("kind", "campaign", "ad", "placement", "channel", "source")]
    )
)


@dataclass(frozen=True, slots=True)
class Measure:
    """One column that adds up.

    `count` counts events, `sum` adds a numeric event column, `uniques` keeps a sketch of the distinct visitors;
    each over the events for which `where` holds. `from_other_part` counts nothing: another part adds to its column.
    """

    kind: Kind
    of: str = ""  # the event column, for sum
    where: Condition | None = None

    @property
    def type(self) -> pa.DataType:
        if self.kind == "uniques":
            return SKETCH
        return pa.float64() if self.of in FLOAT_COLUMNS else pa.int64()


FLOAT_COLUMNS = frozenset({"seconds", "upstream_seconds"})


@dataclass(frozen=True, slots=True)
class Part:
    """Events that add rows to a rollup."""

    measures: Mapping[str, Measure]
    where: Condition | None = None
    columns: Mapping[str, str] | None = None  # dimension -> event column, where the names differ
    of: Literal["events", "clicks"] = "events"  # clicks: the rows that `rollup.clicks` books


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table definition: grain, dimensions, measures."""

    name: str
    dimensions: tuple[str, ...]
    parts: tuple[Part, ...]
    grain: int = 60  # seconds; divides a day

    @property
    def measures(self) -> dict[str, Measure]:
        """All measures of all parts, in order."""
        return {name: measure for part in self.parts for name, measure in part.measures.items()}

    @property
    def column_names(self) -> list[str]:
        """The columns of its rows, in order."""
        return ["ts", *self.dimensions, *self.measures]

    @property
    def schema(self) -> pa.Schema:
        """The columns of its Parquet files and of its view: `ts`, dimensions, measures."""
        return pa.schema(
            [pa.field("ts", TIMESTAMP)]
            + [pa.field(name, DIMENSION_TYPES.get(name, pa.string())) for name in self.dimensions]
            + [pa.field(name, measure.type) for name, measure in self.measures.items()]
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of single rows, which do not add up, in the order of `ts`; only a derivation writes it."""

    name: str
    schema: pa.Schema  # with `ts`, the first column
    keep: float | None = None  # seconds that rows stay, counted from the watermark; None: for ever
    max_size: int | None = None  # bytes that they may take; the oldest go first
    replaced: bool = False  # each derivation replaces all its rows

    grain = 1  # seconds; rows of one second need not be read together


# Every other dimension is text.
DIMENSION_TYPES: dict[str, pa.DataType] = {"status": pa.int16(), "is_bot": pa.bool_(), "bucket": pa.int16()}

VISITORS = Measure("uniques")
HITS = Measure("count")
LATER = Measure("from_other_part")
_SENT = {"hits": HITS, "bytes": Measure("sum", "bytes"), "visitors": VISITORS}

PAGEVIEW = OneOf("kind", ("pageview",))
CLICK = OneOf("kind", ("click",))
ERROR = AtLeast("status", 400)
ROBOT = IsTrue("is_bot")

LATENCY = Rollup(
    "latency",
    ("site", "path", "bucket", "is_bot"),
    (Part({"hits": HITS, "seconds": Measure("sum", "seconds")}, where=NotNull("seconds")),),
)
DEFAULTS: tuple[Rollup, ...] = (
    Rollup(
        "traffic",
        ("site", "kind", "method", "status", "is_bot"),
        (Part(_SENT),),
    ),
    Rollup(
        "pages",
        ("site", "path", "is_bot"),
        (
            Part(
                {
                    "views": Measure("count", where=PAGEVIEW),
                    "clicks": LATER,
                    "errors": Measure("count", where=ERROR),
                    "bytes": Measure("sum", "bytes"),
                    "visitors": Measure("uniques", where=PAGEVIEW),
                },
                where=Either(PAGEVIEW, Both(OneOf("kind", ("other",)), ERROR)),
            ),
            Part({"clicks": HITS}, where=NotNull("from_path"), columns={"path": "from_path"}),
        ),
    ),
    Rollup(
        "ads",
        ("site", "campaign", "ad", "placement", "is_bot"),
        (
            Part(
                {
                    "impressions": Measure("count", where=OneOf("kind", ("impression",))),
                    "clicks": LATER,
                    "clicks_dup": LATER,
                    "conversions": Measure("count", where=OneOf("kind", ("conversion",))),
                    "visitors": VISITORS,
                },
                where=OneOf("kind", ("impression", "click", "conversion")),
            ),
            Part({"clicks": Measure("sum", "clicks"), "clicks_dup": Measure("sum", "clicks_dup")}, of="clicks"),
        ),
    ),
    Rollup(
        "referrers",
        ("site", "referrer", "is_bot"),
        (Part({"hits": HITS, "visitors": VISITORS}),),
    ),
    Rollup(
        "agents",
        ("site", "browser", "os", "device", "is_bot"),
        (Part({"hits": HITS, "visitors": VISITORS}),),
    ),
    Rollup("robots", ("site", "robot", "robot_class", "bot_reason", "is_bot"), (Part(_SENT, where=ROBOT),)),
    Rollup("countries", ("site", "country", "city", "is_bot"), (Part(_SENT, where=NotNull("country")),)),
    Rollup("networks", ("site", "network", "asn", "organization", "is_bot"), (Part(_SENT, where=NotNull("network")),)),
    Rollup("errors", ("site", "path", "status", "is_bot"), (Part({"hits": HITS}, where=ERROR),)),
    LATENCY,
)
