"""Answers Prometheus' scrapes (`--metrics HOST:PORT`): numbers that a run keeps anyway, read at each scrape."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import logagg
from logagg.errors import LogaggError
from logagg.metrics import BUILD, MEMORY, Metric, Sample, SampleSource
from logagg.notice_log import printable
from logagg.proc import memory

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.registry import Collector


@contextmanager
def served(address: tuple[str, int] | None, numbers: SampleSource) -> Iterator[None]:
    """Answer scrapes until the block ends, if there is an address. Raises LogaggError if it cannot listen there."""
    if address is None:
        yield
        return
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(address[1], address[0], _registry(numbers))
    except OSError as error:
        hint = "choose another port with --metrics"
        raise LogaggError(f"metrics cannot be served at {address[0]}:{address[1]}: {error.strerror}", hint) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def exposition(numbers: SampleSource) -> bytes:
    """Return the numbers as Prometheus reads them, for a server that answers scrapes itself."""
    from prometheus_client import generate_latest

    return generate_latest(_registry(numbers))


def of_process(parsers: Sequence[int] = ()) -> Iterator[Sample]:
    """Return what each process shows: its versions, and the memory that it and its parsers take."""
    import duckdb

    yield BUILD.of(1, logagg.__version__, platform.python_version(), duckdb.__version__)
    yield MEMORY.of(memory(os.getpid()), "main")
    yield MEMORY.of(sum(map(memory, parsers)), "parsers")


def _registry(numbers: SampleSource) -> CollectorRegistry:
    """Return the numbers, with those that Prometheus' clients show of any process: processor, memory, descriptors."""
    from prometheus_client import CollectorRegistry, ProcessCollector

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(cast("Collector", _Collector(numbers)))
    return registry


class _Collector:
    def __init__(self, numbers: SampleSource) -> None:
        self._numbers = numbers

    def describe(self) -> Iterable[Family]:
        return []

    def collect(self) -> Iterable[Family]:
        families: dict[Metric, Family] = {}
        for number in self._numbers():
            family = families.setdefault(number.metric, _family(number.metric))
            family.add_metric(_labels(number), number.value)  # type: ignore[attr-defined]
        return families.values()


def _labels(number: Sample) -> list[str]:
    """Return the values of labels as UTF-8 can have them: the name of a log may be any bytes."""
    return [printable(value) for value in number.labels]


def _family(metric: Metric) -> Family:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if metric.is_counter else GaugeMetricFamily
    return kind(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
