"""Golden events: what was once on a stream can be read for ever, and is written the same way (contracts 5).

Each file of `landline/contracts/samples` is an envelope as it travels. Released files are never edited: a
change of an event adds fields with defaults, and a new file if it adds an event.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from importlib.resources import files
from typing import Any

import landline.contracts
import msgspec
import pytest
from landline.contracts.envelope import Envelope, Event, unseal
from landline.rating.pinned import loads
from landline.rating.price import price_micros

SAMPLES = files("landline.contracts") / "samples"
NAMES = sorted(path.name for path in SAMPLES.iterdir() if path.name.endswith(".json"))


def event_classes() -> dict[str, type[Event]]:
    """Every event of every producer, by its type; `entity.changed.v1` stands for all entities."""
    for module in pkgutil.walk_packages(landline.contracts.__path__, "landline.contracts."):
        if module.name.endswith(".events"):
            importlib.import_module(module.name)
    return {str(kind.TYPE): kind for kind in Event.__subclasses__()}  # type: ignore[attr-defined]


def class_of(envelope: Envelope) -> type[Event]:
    """The class that reads this envelope's data."""
    known = event_classes()
    if envelope.type in known:
        return known[envelope.type]
    assert envelope.type.endswith(".changed.v1"), envelope.type
    return known["entity.changed.v1"]


def sample(name: str) -> bytes:
    """The bytes of a golden file."""
    return (SAMPLES / name).read_bytes()


def test_every_event_has_a_golden_sample() -> None:
    """A new event without one could change its shape unnoticed."""
    sampled = {class_of(unseal(sample(name))) for name in NAMES}
    assert set(event_classes().values()) - sampled == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_sample_decodes_and_encodes_to_itself(name: str) -> None:
    """A renamed, retyped or dropped field breaks replays of 90 days of money events."""
    golden: Any = json.loads(sample(name))
    envelope = unseal(sample(name))
    event = envelope.read(class_of(envelope))
    assert name == f"{envelope.type}.json"
    assert envelope.version == int(envelope.type.rpartition(".v")[2])
    again = msgspec.json.decode(msgspec.json.encode(envelope))
    again["data"] = msgspec.json.decode(msgspec.json.encode(event))
    assert again == golden
    assert list(again["data"]) == list(golden["data"])


@pytest.mark.parametrize("name", NAMES)
def test_readers_pass_over_fields_that_they_do_not_know(name: str) -> None:
    """Changes within a version only add: an older reader must live with a newer writer."""
    newer = json.loads(sample(name))
    newer["of_tomorrow"] = 1
    newer["data"]["of_tomorrow"] = {"x": [1]}
    envelope = unseal(json.dumps(newer).encode())
    assert envelope.read(class_of(envelope)) == unseal(sample(name)).read(class_of(envelope))


@pytest.mark.parametrize("name", ["call.ended.v1.json", "call.corrected.v1.json"])
def test_the_pinned_tariff_of_a_golden_call_still_gives_its_price(name: str) -> None:
    """Billing recomputes every charge from the event alone: also from one of an older release."""
    event: Any = unseal(sample(name)).read(class_of(unseal(sample(name))))
    ended = getattr(event, "ended", event)
    start = ended.answered_at_ms / 1000
    assert price_micros(loads(ended.call.tariff), start, ended.duration_s) == ended.charge_micros
    assert sum(ended.spend_by_day.values()) == ended.charge_micros
