"""Answers as files: Parquet, and files that appear only when they are complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from logagg.errors import LogaggError
from logagg.query.render import distinct

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 1 << 17  # rows


@contextmanager
def appearing(path: Path, *, binary: bool) -> Iterator[IO[Any]]:
    """Yield a file that replaces `path` when the block succeeds. Raises LogaggError."""
    try:
        if (
            path.exists() and not path.is_file()
        ):  # write into a pipe or device, such as /dev/stdout or /dev/fd/63, instead of replacing it
            with _opened(path, binary=binary) as file:
                yield file
            return
        path = path.resolve()  # a link remains a link
        with _beside(path) as new:
            with _opened(new, binary=binary) as file:
                yield file
            os.replace(new, path)
    except BrokenPipeError:  # a pipe whose reader has closed it
        raise
    except OSError as error:
        raise LogaggError(f"{path}: {error.strerror}", "the answer is not complete") from error


def _opened(path: Path, *, binary: bool) -> IO[Any]:
    return path.open("wb") if binary else path.open("w", encoding="utf-8", newline="")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a temporary file in the directory of `path`, with its mode; removed afterwards unless it was renamed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    try:
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def write_parquet(schema: pa.Schema, batches: Iterable[pa.RecordBatch], stream: IO[bytes]) -> None:
    """Write batches as a Parquet file. Raises LogaggError for a type that Parquet does not have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [field.with_name(name) for field, name in zip(schema, distinct(schema.names), strict=True)]
    try:
        with pq.ParquetWriter(stream, pa.schema(fields), compression="zstd") as writer:
            for group in _groups(pa.schema(fields), batches):
                writer.write_table(group)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise LogaggError(f"parquet: {str(error).splitlines()[0]}", "cast that column, as with ::VARCHAR") from error


def _groups(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield tables of the size of a row group."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(pa.record_batch(batch.columns, schema=schema))
        if sum(one.num_rows for one in held) >= ROW_GROUP:
            yield pa.Table.from_batches(held, schema)
            held = []
    if held:
        yield pa.Table.from_batches(held, schema)
