"""Which fields a device needs, by how it is connected: pure rules (model-system 1.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from provisioning.domain.client_rules import Refusal

_DIRECT_ONLY = ("transport", "ip", "port", "ruri_domain")


def device_refusals(device: Mapping[str, Any]) -> Iterator[Refusal]:
    """Every rule between the fields of a device's row that it breaks."""
    if device["direct_connectivity"]:
        if device["transport"] is None:
            yield Refusal("transport", "required", "direct connectivity needs a transport")
        if device["ruri_domain"] is None and device["ip"] is None:
            yield Refusal("ip", "required", "direct connectivity needs ip and port, or ruri_domain")
        if device["ip"] is not None and device["port"] is None:
            yield Refusal("port", "required", "an ip needs a port")
        return
    for field in _DIRECT_ONLY:
        if device[field] is not None:
            yield Refusal(field, "only_direct", "only with direct_connectivity")
    if device["trust_sdp"]:
        yield Refusal("trust_sdp", "only_direct", "only with direct_connectivity")
