"""How many examples a law tries: few in `make test`, many times as many in `make soak`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# Shrinking a failing example takes minutes here, so it is off unless LAWS_SHRINK=1.
PHASES = [phase for phase in Phase if phase is not Phase.shrink or "LAWS_SHRINK" in os.environ]
TIMES = float(os.environ.get("LAWS_TIMES", "1"))


def examples(number: int, **others: object) -> settings:
    """Settings of a law whose examples take a second each instead of a millisecond."""
    slow, most = [HealthCheck.too_slow, HealthCheck.data_too_large], max(1, round(number * TIMES))
    return settings(max_examples=most, deadline=None, phases=PHASES, suppress_health_check=slow, **others)  # type: ignore[arg-type]
