"""The names in a lake by which a tail knows whether it has alerts; apart from `store`, which most tails never import."""

from __future__ import annotations

FOLDER, STATE = "alerts", "state.json"
