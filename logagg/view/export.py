"""An answer -> a file: Parquet, and files that appear when they are complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from logagg.errors import LogaggError
from logagg.view.render import distinct

ROW_GROUP = 1 << 17  # rows


@contextmanager
def appearing(path: Path, *, binary: bool) -> Iterator[IO[Any]]:
    """Give a file that takes the place of `path` when the block ends well. Raises LogaggError."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise LogaggError(f"{path}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb" if binary else "w", **({} if binary else {"encoding": "utf-8"})) as file:
            yield file
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except OSError as error:
        raise LogaggError(f"{path}: {error.strerror}", "the answer is not complete") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_parquet(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> None:
    """Write batches as a Parquet file. Raises LogaggError for a type that Parquet does not have."""
    schema = pa.schema([field.with_name(name) for field, name in zip(schema, distinct(schema.names), strict=True)])
    try:
        with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
            for group in _groups(schema, batches):
                writer.write_table(group)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise LogaggError(f"parquet: {str(error).splitlines()[0]}", "cast that column, as with ::VARCHAR") from error


def _groups(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield tables of so many rows as a row group should have."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(pa.record_batch(batch.columns, schema=schema))
        if sum(one.num_rows for one in held) >= ROW_GROUP:
            yield pa.Table.from_batches(held, schema)
            held = []
    if held:
        yield pa.Table.from_batches(held, schema)
