"""Transformation sets, compiled when a call first needs them.

The platform may have a set for every country; a brand uses one or two of them. Compiling all of them with
every brand's facts would stop the event loop for a second at each change of the platform's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from landline.numbering.transformations import Rule, TransformationSet

from call_control.adapters.row_kinds import Rows, of_kind

log = structlog.get_logger(__name__)


class LazySets(Mapping[str, TransformationSet]):
    """Set id -> set; those of `shared` where the rows have none of that id."""

    def __init__(self, rows: Rows, shared: Mapping[str, TransformationSet] | None = None) -> None:
        self._shared = shared
        self._made: dict[str, TransformationSet | None] = {}
        self._rules: dict[str, list[Rule]] = defaultdict(list)
        self._ids = frozenset(set_id for set_id, _ in of_kind(rows, "set"))
        for _, row in of_kind(rows, "rule"):
            rule = Rule(row["direction"], row["priority"], row["match"], row["replace"])
            self._rules[row["transformation_set_id"]].append(rule)

    def get(self, set_id: str, default: Any = None) -> Any:  # noqa: ARG002 - Mapping's own signature
        """The set, compiled once; None for one that is not there, or that can't be compiled."""
        try:
            return self._made[set_id]
        except KeyError:
            made = self._made[set_id] = self._make(set_id)
            return made

    def _make(self, set_id: str) -> TransformationSet | None:
        if set_id not in self._ids:
            return None if self._shared is None else self._shared.get(set_id)
        try:
            return TransformationSet(self._rules[set_id])
        except ValueError as error:
            # Left out whole: half a set would send calls to wrong numbers; without it they are refused.
            log.error("transformation set that cannot be compiled", set_id=set_id, error=str(error))
            return None

    def __getitem__(self, set_id: str) -> TransformationSet:
        found: TransformationSet | None = self.get(set_id)
        if found is None:
            raise KeyError(set_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids | frozenset(self._shared or ()))

    def __len__(self) -> int:
        return len(self._ids | frozenset(self._shared or ()))
