"""What operators watch of the stream consumers (docs/runbooks)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

HANDLED = Counter("landline_stream_entries_handled_total", "Entries handled and acknowledged", ["group"])
NOT_READY = Gauge("landline_stream_consumer_not_ready", "1 while the consumer waits for a store", ["group"])
DEAD_LETTERS = Counter("landline_stream_dead_letters_total", "Entries given up", ["group"])
LAG = Gauge("landline_stream_lag_entries", "Entries not handled yet", ["group", "stream"])
DEAD_WAITING = Gauge(
    "landline_stream_dead_letters_waiting", "Entries given up, to replay", ["group", "stream"]
)
