"""Structured logs: one JSON line per event on stdout, with request, call and brand bound to it.

Bind with `bound(call_id=..., brand_id=...)`; whatever runs inside carries those keys. Values under keys
that look like secrets are masked before they are written, whoever logged them.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

MASK = "***"
_SECRET = re.compile(
    r"passw|secret|token|authorization|cookie|(^|_)key$|api_key|ha1|otp|credential", re.IGNORECASE
)
_LONGEST_VALUE = 2_000


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: masks values by the name of their key, and cuts what is absurdly long."""
    return {key: _safe(key, value) for key, value in event.items()}


def _safe(key: str, value: Any) -> Any:
    if _SECRET.search(key) and value is not None:
        return MASK
    if isinstance(value, dict):
        return {k: _safe(str(k), v) for k, v in value.items()}
    if isinstance(value, str) and len(value) > _LONGEST_VALUE and key != "exception":
        return f"{value[:_LONGEST_VALUE]}… ({len(value)} characters)"
    return value


def configure(level: str = "INFO", service: str | None = None) -> None:
    """Send structlog and the standard library's logging to stdout as JSON lines. Safe to call twice."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        mask_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "httpx", "httpcore", "alembic.runtime.migration"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if service is not None:
        structlog.contextvars.bind_contextvars(service=service)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger named after its module: `log = get_logger(__name__)`; `log.info("deck imported", rows=12)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


@contextmanager
def bound(**values: str | None) -> Iterator[None]:
    """Every line logged inside carries these keys (None is left out)."""
    with structlog.contextvars.bound_contextvars(**{k: v for k, v in values.items() if v is not None}):
        yield
