"""Tags of links: source, medium and campaign in query strings, and click ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from logagg.columnar.encoded import EncodedText, shorten
from logagg.columnar.slices import Codes, Mask, Slices
from logagg.parse.channels.arrivals import UNTAGGED, Tags
from logagg.parse.text import urls
from logagg.parse.text.decode import decode_percent

Keys = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class TagKeys:
    """The parameters to look for."""

    source: Keys = ()
    medium: Keys = ()
    campaign: Keys = ()
    click_ids: Keys = ()  # the first one with a value counts
    limit: int = 256  # characters of a value, at most

    @property
    def texts(self) -> list[Keys]:
        return [self.source, self.medium, self.campaign]


def read_tags(queries: Slices, wanted: Mask, keys: TagKeys) -> tuple[Codes | None, list[Tags]]:
    """Return the number of each query's tags, and the distinct tags; number 0 means without tags. Only `wanted` queries are read.

    The numbers are None if no query has tags.
    """
    rows = np.flatnonzero(wanted)
    names = [key for some in (*keys.texts, keys.click_ids) for key in some]
    rows = rows[urls.have_keys(*queries.take(rows).places, names)] if rows.size and names else rows[:0]
    if not rows.size:
        return None, [UNTAGGED]
    some = queries.take(rows)
    texts = _texts(some, keys)
    clicked = _click_ids(some, keys.click_ids)
    columns: list[npt.NDArray[Any]] = [*(text.codes for text in texts), clicked]
    sizes = [*(len(text.values) for text in texts), len(keys.click_ids) + 1]
    combined: npt.NDArray[np.int64] = np.zeros(rows.size, np.int64)
    for column, size in zip(columns, sizes, strict=True):
        combined = combined * size + column
        combined = np.unique(combined, return_inverse=True)[1]  # small numbers, so that the next product fits
    example: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.int64]
    _, example, numbers = np.unique(combined, return_index=True, return_inverse=True)
    codes = np.zeros(len(queries), np.int32)
    codes[rows] = numbers.astype(np.int32) + np.int32(1)  # 0: without tags
    return codes, [UNTAGGED, *(_tags(texts, clicked, keys, int(row)) for row in example)]


def _texts(queries: Slices, keys: TagKeys) -> list[EncodedText]:
    """Return the values of source, medium and campaign, decoded."""
    starts, ends = urls.find_values(*queries.places, keys.texts)
    values = (EncodedText.cut(Slices(queries.data, start, end)) for start, end in zip(starts, ends, strict=True))
    return [one.map(lambda texts: shorten(decode_percent(texts), keys.limit)) for one in values]


def _click_ids(queries: Slices, names: Keys) -> npt.NDArray[np.int64]:
    """Return, for each query, the number of the first name with a value in it, counted from 1; 0 if it has none."""
    if not names:
        return np.zeros(len(queries), np.int64)
    starts, ends = urls.find_values(*queries.places, [[name] for name in names])
    has = ends > starts
    return np.where(has.any(axis=0), has.argmax(axis=0) + 1, 0)


def _tags(texts: Sequence[EncodedText], clicked: npt.NDArray[np.int64], keys: TagKeys, row: int) -> Tags:
    source, medium, campaign = (text.values[int(text.codes[row])].as_py() for text in texts)
    number = int(clicked[row])
    return Tags(source, medium.strip(), campaign, keys.click_ids[number - 1].decode() if number else "")
