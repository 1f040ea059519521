"""What the edge API measures, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from prometheus_client import Counter

ADMISSIONS = Counter("landline_admissions_total", "Decisions on new calls", ["decision", "reason"])
SPOOLED = Counter("landline_spooled_ends_total", "Ends of calls kept on disk because Redis was away")


@lru_cache(maxsize=256)
def admission_counter(decision: str, reason: str) -> Callable[[], None]:
    """Counts one decision; remembered, since finding labels costs more than counting."""
    return ADMISSIONS.labels(decision, reason).inc
