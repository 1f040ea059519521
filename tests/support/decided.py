"""Deciding a call from configured rows, without Redis: the same facts, the same pipeline."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from call_control.adapters import read_model_keys as keys
from call_control.adapters.fact_parsing import brand_facts, client_facts, platform_facts
from call_control.adapters.facts_cache import Directory
from call_control.adapters.placement import Change, places
from call_control.adapters.rate_facts import plan_of
from call_control.app.gather_arrival import GatherArrival
from call_control.app.gather_facts import GatherFacts
from call_control.domain.admission import Case, judge
from call_control.domain.admission.case import Target
from call_control.domain.admission.pipeline import Refusal, TraceLine, outcome_of, trace
from call_control.domain.admission.request import CallRequest
from call_control.domain.denials import Denial
from call_control.domain.facts import BrandFacts, ClientFacts, Contact
from call_control.domain.rates import RateBook
from landline.rating.deck_file import Deck

from tests.support import configured

NOW_MS = 1_795_348_800_000  # 2026-11-22 12:00:00 UTC


class Rows:
    """A FactsSource over rows; later rows of the same thing replace earlier ones."""

    def __init__(self, changes: Iterable[Change], folder: Path, registered: tuple[Contact, ...] = ()) -> None:
        self.registered = registered
        self._hashes: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        for change in changes:
            for place in places(change, configured.PARTITION):
                old = self._hashes[place.key].pop(place.field, None)
                if place.key == keys.PLATFORM_DDIS and old is not None:
                    self._hashes[keys.PLATFORM_NUMBERS].pop(old["number"], None)
                if place.data is not None:
                    self._hashes[place.key][place.field] = place.data
                if place.key == keys.PLATFORM_DDIS and place.data is not None:
                    self._hashes[keys.PLATFORM_NUMBERS][place.name] = {"brand_id": place.holder}
        self._folder = folder
        self.forgotten: list[str] = []

    async def directory(self) -> Directory:
        return Directory(self._hashes[keys.BRANDS], {}, self._hashes[keys.PROVIDER_ADDRESSES], {})

    async def brand(self, brand_id: str) -> BrandFacts | None:
        row = self._hashes[keys.BRANDS].get(brand_id)
        return await self.brand_of_domain(row["sip_domain"]) if row else None

    async def owner_of_number(self, brand_id: str, number: str) -> str | None:
        for key, rows in self._hashes.items():
            for field, row in rows.items():
                if field.startswith("ddi:") and row["number"] == number:
                    return keys.POOL if ":cfg:pool:" in key else key.rpartition(":")[2]
        return None

    def perhaps_ours(self, number: str) -> bool:
        return number in self._hashes[keys.PLATFORM_NUMBERS]

    async def brand_of_number(self, number: str) -> str | None:
        found = self._hashes[keys.PLATFORM_NUMBERS].get(number)
        return found["brand_id"] if found else None

    def forget_number(self, brand_id: str, number: str) -> None:
        self.forgotten.append(number)

    async def contacts(self, partition: int, device_id: str) -> tuple[Contact, ...]:
        return self.registered

    def known_caller(self, domain: str, name: str) -> None:
        return None

    async def brand_of_domain(self, domain: str) -> BrandFacts | None:
        for brand_id, row in self._hashes[keys.BRANDS].items():
            if row["sip_domain"] == domain:
                own = self._hashes[keys.brand(configured.PARTITION, brand_id)]
                platform, profiles = self._hashes[keys.PLATFORM], self._hashes[keys.CARRIER_PROFILES]
                shared = platform_facts(platform)
                return brand_facts(brand_id, row, own, shared, profiles, lambda sealed, _: sealed)
        return None

    async def client(self, brand_id: str, client_id: str) -> ClientFacts | None:
        return client_facts(client_id, brand_id, self._hashes[keys.client(configured.PARTITION, client_id)])

    async def client_of_device(self, brand_id: str, name: str) -> str | None:
        for key, rows in self._hashes.items():
            for field, row in rows.items():
                if ":cfg:client:" in key and field.startswith("device:") and row["name"] == name:
                    return key.rpartition(":")[2]
        return None

    def forget_name(self, brand_id: str, name: str) -> None:
        self.forgotten.append(name)

    async def rates(self) -> RateBook:
        decks = {
            deck_id: Deck.open(self._folder / f"{deck_id}-{row['version']}.deck")
            for deck_id, row in self._hashes[keys.DECKS].items()
        }
        plans = {plan_id: plan_of(plan_id, row) for plan_id, row in self._hashes[keys.PLANS].items()}
        return RateBook(plans, decks)


class Decision:
    """What came of a call: the case, and the refusal if there was one."""

    def __init__(self, case: Case, refusal: Refusal | None) -> None:
        self.case = case
        self.refusal = refusal

    @property
    def code(self) -> str:
        """`allow`, `challenge`, `service`, or the denial's code."""
        return self.refusal.code if isinstance(self.refusal, Denial) else outcome_of(self.refusal)

    @property
    def sip_code(self) -> int:
        assert isinstance(self.refusal, Denial)
        return self.refusal.reason.sip_code

    @property
    def device_target(self) -> Target:
        """The one target, which is a device."""
        [target] = self.case.targets
        assert isinstance(target, Target)
        return target

    @property
    def box_uri(self) -> str:
        """The one target, which is a box."""
        [target] = self.case.targets
        assert not isinstance(target, Target)
        return target.uri

    @property
    def trace(self) -> list[TraceLine]:
        return trace(self.case, self.refusal)


async def decided(
    body: dict[str, Any] | None = None,
    *more: Change,
    without: Iterable[str] = (),
    now_ms: int = NOW_MS,
    country_of: Callable[[str], str | None] = lambda _: None,
    seed: int = 0,
    decks: dict[str, list[tuple[str, str]]] | None = None,
    registered: tuple[Contact, ...] = (),
) -> Decision:
    """Decide `body` (changes of an ordinary call) against the configured brand and `more` rows.

    `without`: entities left out, such as `profile`. `decks`: further rate decks, id -> (prefix, rate) rows.
    `registered`: where the called device is, for calls from outside.
    """
    with tempfile.TemporaryDirectory() as folder:
        rows = [each for each in configured.everything(Path(folder)) if each.entity not in set(without)]
        rows += [
            configured.deck(Path(folder), 1, prices, deck_id) for deck_id, prices in (decks or {}).items()
        ]
        source = Rows([*rows, *more], Path(folder), registered)
        request = msgspec.convert(configured.call(**(body or {})), CallRequest)
        facts = await GatherFacts(source, GatherArrival(source, source), country_of, 60)(request)
        case = Case(request, facts, now_ms, Random(seed))
        return Decision(case, judge(case))
