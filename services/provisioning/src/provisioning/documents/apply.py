"""A document applied to a brand: everything in the caller's transaction, or nothing.

Every item, every removal and the brand itself is one step: a single write of the resource kit, with its
rules, audit entry, event and version. Steps that are refused are tried again as long as others succeed: a
pattern may only go once its route has gone, a feature only once no client has it. Rows that wait for each
other's values (two patterns swap their prefixes) let go of them first. What is still refused in the end is
answered together, each with its path in the document, and the transaction is undone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from landline.chassis.problems import FieldError, InvalidInput, Problem
from landline.chassis.resources import Actor
from sqlalchemy.ext.asyncio import AsyncConnection

from provisioning.documents.matching import Match, match
from provisioning.documents.names import canonical
from provisioning.documents.outcome import Applied
from provisioning.documents.reading import Said
from provisioning.documents.rows import BrandRows
from provisioning.documents.shape import Section
from provisioning.documents.steps import TAKEN, Context, Later, LetGo, Remove, Step, Waits, Write


async def apply_document(
    tx: AsyncConnection, brand: BrandRows, said: Said, actor: Actor, *, prune: bool = False
) -> Applied:
    """Make the brand what the document says. InvalidInput lists what cannot be; then undo `tx`.

    What the document does not say stays as it is: a field, a section. With `prune`, rows that a section of
    the document lacks are deleted.
    """
    return await _Work(tx, brand, said, actor).run(prune)


class _Work:
    def __init__(self, tx: AsyncConnection, brand: BrandRows, said: Said, actor: Actor) -> None:
        self.tx, self.brand, self.said = tx, brand, said
        self.context = Context(tx, brand, actor, self._is_coming)
        self.applied, self.errors = Applied(), list[FieldError]()
        self.matches: dict[str, Match] = {}

    async def run(self, prune: bool) -> Applied:
        """Rounds of trying, until nothing is left or nothing moves."""
        pending: Sequence[Step] = await asyncio.to_thread(self._steps, prune)
        while pending:
            left = await self._round(pending)
            if len(left) == len(pending) and not await self._let_swap(left):
                await self._say_why(left)
            pending = left
            await self._look_again(pending)
        return self.applied

    def _steps(self, prune: bool) -> list[Step]:
        """Removals come before what may need their place, and again after what may free them."""
        root = [Write(self.said.brand, self.brand.row)] if self.said.brand else []
        lists = [s for s in self.brand.sections if s.name in self.said.items]
        for section in lists:
            self._match(section)
        gone = [(s, row) for s in reversed(lists) for row in self.matches[s.name].left] if prune else []
        items = [item for s in lists for item in self.said.items[s.name]]
        writes = [Write(i, self.matches[i.section.name].rows.get(i.path)) for i in items]
        later = [Later(write) for write in writes if write.sets_later()]
        opened = [LetGo(section, row) for section, row in gone]
        return [*root, *opened, *(Remove(section, row) for section, row in gone), *writes, *later]

    def _match(self, section: Section) -> None:
        items = self.said.items[section.name]
        self.matches[section.name] = match(section, items, self.brand.rows[section.name], self.brand.names)

    async def _round(self, pending: Sequence[Step]) -> list[Step]:
        self.errors = []
        return [step for step in pending if not await self._succeeds(step)]

    async def _succeeds(self, step: Step) -> bool:
        """One step in its own savepoint: what a refused one wrote is undone, the others' work is kept."""
        await asyncio.sleep(0)  # admissions may be waiting on this loop
        if step.is_idle(self.context):
            self.applied.add(step, None)
            return True
        savepoint = await self.tx.begin_nested()
        try:
            done = await step.attempt(self.context)
        except (Waits, Problem) as reason:
            await savepoint.rollback()
            errors = reason.errors if isinstance(reason, Problem) else []
            step.refused = frozenset(e.field for e in errors if e.code in TAKEN)
            self.errors += _errors_of(step, reason) if isinstance(reason, Problem) else []
            return False
        await savepoint.commit()
        self.applied.add(step, done)
        return True

    async def _let_swap(self, left: Sequence[Step]) -> bool:
        """Have rows let go of values that others may want: whether any did, and a round may move again."""
        parked = [await step.park(self.context) for step in left if isinstance(step, Write)]
        return any(parked)

    async def _say_why(self, left: Sequence[Step]) -> None:
        """Nothing moves any more: InvalidInput. Steps that only wait are asked what they lack."""
        if not self.errors:
            self.context.is_coming = lambda _section, _key: False
            await self._round(left)
        waiting = [FieldError(step.path, "not_found", "refers to what cannot be made") for step in left]
        raise InvalidInput(self.errors or waiting, code="document_refused")

    def _is_coming(self, section: Section, key: dict[str, Any]) -> bool:
        """True when a reference names an item of the document that is not made yet."""
        return canonical(key) in self._coming.get(section.name, ())

    @cached_property
    def _coming(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for item in self.said.all_items():
            names = [item.section.names[f] for f in item.section.key]
            key = {name: item.said.get(name) for name in names}
            found.setdefault(item.section.name, set()).add(canonical(key))
        return found

    async def _look_again(self, pending: Sequence[Step]) -> None:
        """Rows that others' hooks made (a device makes its voicemail box) may be what an item means."""
        new = [step for step in pending if isinstance(step, Write) and step.row is None]
        for section in {step.item.section.name: step.item.section for step in new}.values():
            await self.brand.read_section(self.tx, section)
            self._match(section)
        for step in new:
            step.row = self.matches[step.item.section.name].rows.get(step.item.path)


def _errors_of(step: Step, problem: Problem) -> list[FieldError]:
    """A problem of one write as errors with their paths in the document."""
    if not problem.errors:
        return [FieldError(step.path, problem.code, f"{step.subject}{problem.detail}")]
    return [FieldError(step.path_of(e.field), e.code, e.message) for e in problem.errors]
