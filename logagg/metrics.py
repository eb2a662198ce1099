"""Metrics for Prometheus (`--metrics HOST:PORT`): numbers that a run keeps anyway, read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from logagg.errors import LogaggError

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Sample:
    """One number. Those that share a name differ in the value of their label."""

    name: str  # a counter's ends in _total
    help: str
    value: float
    label: tuple[str, str] | None = None


SampleSource = Callable[[], Iterable[Sample]]


@contextmanager
def served(address: tuple[str, int] | None, numbers: SampleSource) -> Iterator[None]:
    """Answer scrapes until the block ends, if there is an address. Raises LogaggError if it cannot listen there."""
    if address is None:
        yield
        return
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry(auto_describe=False)
    registry.register(cast("Collector", _Collector(numbers)))
    try:
        server, thread = start_http_server(address[1], address[0], registry)
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
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(cast("Collector", _Collector(numbers)))
    return generate_latest(registry)


class _Collector:
    def __init__(self, numbers: SampleSource) -> None:
        self._numbers = numbers

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for number in self._numbers():
            family = families.setdefault(number.name, _family(number))
            family.add_metric([number.label[1]] if number.label else [], number.value)  # type: ignore[attr-defined]
        return families.values()


def _family(number: Sample) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if number.name.endswith("_total") else GaugeMetricFamily
    return kind(number.name.removesuffix("_total"), number.help, labels=[number.label[0]] if number.label else [])
