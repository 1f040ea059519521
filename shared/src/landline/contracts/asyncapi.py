"""`docs/asyncapi.yaml` (AsyncAPI 3), made from the event classes: `python -m landline.contracts.asyncapi`.

A tidy test compares the file with this output, so that the document cannot fall behind the code.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import yaml

from landline.contracts import streams
from landline.contracts.envelope import Envelope, Event

TARGET = Path("docs/asyncapi.yaml")

# Which stream carries which producer's events; the 64 partitions of `calls` are one parametrised channel.
CHANNELS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "config": (
        streams.CONFIG,
        "provisioning",
        ("EntityChanged", "SessionRevoked", "SigningKeysRotated", "PasswordResetRequested"),
    ),
    "calls": (
        "{partition}:landline:calls",
        "call_control",
        (
            "CallAdmitted",
            "CallRinging",
            "CallAnswered",
            "CallEnded",
            "CallCorrected",
            "CallRejected",
            "DailyUsageCrossed",
        ),
    ),
    "rates": (streams.RATES, "billing", ("TariffPublished", "PlanPublished", "ProfilePublished")),
    "ledger": (streams.LEDGER, "billing", ("PostingMade",)),
    "billing": (streams.BILLING, "billing", ("CallRecordRated",)),
    "messages": (streams.MESSAGES, "notifier", ("NotificationSent", "NotificationFailed")),
}


def events_of(producer: str, names: tuple[str, ...]) -> list[type[Event]]:
    """The event classes of a producer, by name."""
    module = import_module(f"landline.contracts.{producer}.events")
    return [getattr(module, name) for name in names]


def document() -> dict[str, Any]:
    """The whole document as plain values."""
    events = [event for _, producer, names in CHANNELS.values() for event in events_of(producer, names)]
    template = "#/components/schemas/{name}"
    _, schemas = msgspec.json.schema_components(events, ref_template=template)
    schemas["Envelope"] = _envelope()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Landline events",
            "version": "1",
            "description": "One Redis stream entry holds one field, `event`: the Envelope as JSON, its "
            "`data` as named by `type`. Money in micros, moments in Unix ms unless a field says otherwise.",
        },
        "channels": {name: _channel(*rest) for name, rest in CHANNELS.items()},
        "operations": {
            f"read-{name}": {"action": "receive", "channel": {"$ref": f"#/channels/{name}"}}
            for name in CHANNELS
        },
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "messages": {event.__name__: _message(event) for event in events},
        },
    }


def _envelope() -> dict[str, Any]:
    """Its fields are the struct's own; `data` is one of the messages' payloads."""
    fields = msgspec.structs.fields(Envelope)
    required = [field.name for field in fields if field.required]
    types = {"version": {"type": "integer"}, "data": {"type": "object"}}
    properties = {field.name: types.get(field.name, {"type": "string"}) for field in fields}
    return {"type": "object", "title": "Envelope", "properties": properties, "required": required}


def _channel(address: str, producer: str, events: tuple[str, ...]) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": address,
        "description": f"published by {producer.replace('_', '-')}",
        "messages": {event: {"$ref": f"#/components/messages/{event}"} for event in events},
    }
    if "{partition}" in address:
        channel["parameters"] = {
            "partition": {"description": "the hash tag `{p0}` to `{p63}`, braces included"}
        }
    return channel


def _message(event: type[Event]) -> dict[str, Any]:
    # EntityChanged names itself after its entity: `client.changed.v1`.
    name = "<entity>.changed.v1" if event.__name__ == "EntityChanged" else event.type_name()
    return {
        "name": name,
        "title": (event.__doc__ or "").partition("\n")[0].strip(),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
    }


def text() -> str:
    """The document as YAML."""
    head = "# Generated: python -m landline.contracts.asyncapi\n"
    return head + yaml.safe_dump(document(), sort_keys=False, width=110, allow_unicode=True)


if __name__ == "__main__":
    TARGET.write_text(text())
