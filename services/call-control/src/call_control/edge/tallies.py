"""What the edge API measures, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter

ADMISSIONS = Counter("landline_admissions_total", "Decisions on new calls", ["decision", "reason"])
