"""When a barring's times make sense: pure rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioning.domain.client_rules import Refusal


def barring_refusals(barring: Mapping[str, Any]) -> Iterator[Refusal]:
    """Every rule between the fields of a barring's row that it breaks."""
    begins, ends = barring["from_time"], barring["to_time"]
    if begins is None and ends is not None:
        yield Refusal("from_time", "required", "since when? both times, or none")
    if ends is None and begins is not None:
        yield Refusal("to_time", "required", "until when? both times, or none")
    if begins is not None and begins == ends:
        yield Refusal("to_time", "same_time", "it would never be in force; leave both out for the whole day")
