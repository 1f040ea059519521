"""What is watched about call records (Prometheus)."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from prometheus_client import Counter

from billing.domain.call_record import CallRecord

CHECKED = Counter("landline_billing_price_checks_total", "Charges against their pinned tariff", ["outcome"])
RECORDED = Counter("landline_billing_call_records_total", "Call records committed")
UNBILLED_S = Counter("landline_billing_unbilled_seconds_total", "Talked, beyond what could be held (overrun)")
log = structlog.get_logger(__name__)


def count_checks(records: Iterable[CallRecord]) -> None:
    """Count how charges compare with their tariffs; a difference is also logged, with the call."""
    for record in records:
        CHECKED.labels(record.price_check).inc()
        RECORDED.inc()
        UNBILLED_S.inc(record.unbilled_s)
        if record.price_check in ("differs", "unreadable"):
            log.error(
                "charge is not the tariff's price",
                call_id=record.id,
                brand_id=record.brand_id,
                outcome=record.price_check,
                charged=str(record.price),
            )
