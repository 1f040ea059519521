"""Names of the streams (contracts section 5). Names are fixed: others read them."""

from __future__ import annotations

from landline.kernel.ids import PARTITIONS

CONFIG = "landline:config"
RATES = "landline:rates"
LEDGER = "landline:ledger"
BILLING = "landline:billing"
MESSAGES = "landline:messages"
INVALIDATE = "landline:invalidate"


def calls(partition: int) -> str:
    """The `calls` stream of one partition; it lives in the slot of the partition's counters."""
    return f"{{p{partition}}}:landline:calls"


ALL_CALLS = tuple(calls(k) for k in range(PARTITIONS))


MONEY = (LEDGER, *ALL_CALLS)
"""Where an entry that nobody could handle is money not booked."""


def dead_letters(stream: str, group: str) -> str:
    """Where a group puts the entries of a stream that failed by themselves, with the reason."""
    return f"{stream}:dead:{group}"


OWED_TO_NOBODY = ("call.rejected.v1", "call.ringing.v1")
"""Events that may be lost when Redis is short of memory: they have no money in them (architecture 3.3)."""

# Who must have read an entry before it may be trimmed: one group per service, named like the service.
READERS: dict[str, tuple[str, ...]] = {
    CONFIG: ("billing", "call-control", "notifier"),
    RATES: ("call-control",),
    LEDGER: ("call-control",),
    BILLING: (),
    MESSAGES: (),
    **dict.fromkeys(ALL_CALLS, ("billing", "call-control", "notifier")),
}
