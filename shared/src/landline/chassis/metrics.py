"""What every service measures about its HTTP side, for Prometheus. One registry per process.

The label `route` is the route's template (`/clients/{id}`), never the path: ids would be unbounded labels.
"""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

REQUESTS = Counter("landline_http_requests_total", "Answers given", ["service", "method", "route", "status"])
SECONDS = Histogram(
    "landline_http_request_seconds",
    "Time to answer",
    ["service", "method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
OUTBOX_PUBLISHED = Counter("landline_outbox_published_total", "Events sent to streams", ["service"])
OUTBOX_FAILURES = Counter("landline_outbox_failures_total", "Failed rounds of the publisher", ["service"])
BACKGROUND_FAILURES = Counter(
    "landline_background_failures_total", "Background work that failed by a fault of ours", ["work"]
)


async def metrics_page(_request: Request) -> Response:
    """`/metrics`: keep it inside; it is not for the public (contracts section 1)."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
