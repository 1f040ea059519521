"""Consumers of `config` and `rates`: what is configured goes into the read model (architecture 3.1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec
from landline.chassis.stream_consumer import NotYet
from landline.chassis.streams import Entry
from landline.contracts.billing.events import PlanPublished, ProfilePublished, TariffPublished
from landline.contracts.provisioning.events import EntityChanged
from landline.kernel.clock import Clock

from call_control.adapters.placement import ENTITIES, Change
from call_control.adapters.read_model import ReadModel

GROUP = "call-control"
Tell = Callable[[Sequence[Change]], Awaitable[None]]
_SUFFIX = ".changed.v1"


def config_changes(entries: Sequence[Entry]) -> Iterator[Change]:
    """The changes of a batch that concern call-control. msgspec.ValidationError for an entry that is none."""
    for entry in entries:
        event = entry.event
        if event.type.endswith(_SUFFIX) and event.type.removesuffix(_SUFFIX) in ENTITIES:
            row = event.read(EntityChanged)
            yield Change(
                entity=row.entity,
                entity_id=row.entity_id,
                version=row.entity_version,
                brand_id=event.brand_id,
                client_id=event.client_id,
                data=None if row.deleted else row.data,
                position=entry.id,
            )


def rates_changes(entries: Sequence[Entry]) -> Iterator[Change]:
    """Plans, profiles and decks of a batch; other events of the stream are not for us."""
    for entry in entries:
        event = entry.event
        if event.type == TariffPublished.TYPE:
            deck = event.read(TariffPublished)
            yield _change("deck", deck.deck_id, deck.version, None, deck, entry)
        elif event.type == PlanPublished.TYPE:
            plan = event.read(PlanPublished)
            yield _change("plan", plan.plan_id, plan.version, None, plan, entry, plan.deleted)
        elif event.type == ProfilePublished.TYPE:
            profile = event.read(ProfilePublished)
            client_id = profile.client_id
            yield _change(
                "profile", profile.profile_id, profile.version, client_id, profile, entry, profile.deleted
            )


def _change(
    entity: str,
    entity_id: str,
    version: int,
    client_id: str | None,
    data: msgspec.Struct,
    entry: Entry,
    deleted: bool = False,
) -> Change:
    row = None if deleted else msgspec.to_builtins(data)
    return Change(entity, entity_id, version, entry.event.brand_id, client_id, row, entry.id)


class ConfigHandler:
    """Handler of the `config` stream. `tell`: who else wants to hear of applied changes (the edges)."""

    def __init__(self, model: ReadModel, clock: Clock, tell: Tell | None = None) -> None:
        self._model = model
        self._clock = clock
        self._tell = tell

    async def __call__(self, entries: list[Entry]) -> None:
        """Apply a batch. NotYet for rows whose brand has not come: they are asked for again."""
        changes = list(config_changes(entries))
        await _apply(self._model, changes, self._clock)
        if self._tell is not None:
            await self._tell(changes)


class RatesHandler:
    """Handler of the `rates` stream."""

    def __init__(self, model: ReadModel, clock: Clock) -> None:
        self._model = model
        self._clock = clock

    async def __call__(self, entries: list[Entry]) -> None:
        """Apply a batch. Every process then fetches the decks it lacks (`DeckFiles`)."""
        await _apply(self._model, list(rates_changes(entries)), self._clock)


async def _apply(model: ReadModel, changes: list[Change], clock: Clock) -> None:
    waiting = await model.apply(changes, clock.now_ms())
    if waiting:
        first = waiting[0]
        raise NotYet(f"{first.entity} {first.entity_id} waits for brand {first.brand_id}")
