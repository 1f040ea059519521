"""DDIs: numbers that exist, states that follow one another, what a number for presentation has not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import phonenumbers

from provisioning.domain.client_rules import Refusal

FOLLOWS: Mapping[str, frozenset[str]] = {
    "porting_in": frozenset({"active", "quarantine"}),
    "active": frozenset({"ported_out", "quarantine"}),
    "ported_out": frozenset({"porting_in", "quarantine"}),
    "quarantine": frozenset({"active", "ported_out"}),
}
"""What a state may become: a number that left comes back by porting in, or rests first."""

FIRST_STATES = frozenset({"porting_in", "active", "quarantine"})
NOT_TO_GIVE = frozenset({"ported_out", "quarantine"})


def number_refusals(number: str, country: str | None, *, unusual: bool) -> Iterator[Refusal]:
    """A number of its country, and one that phonenumbers knows; `unusual` takes it anyway."""
    code = phonenumbers.country_code_for_region(country or "")
    if not code or not number.startswith(f"+{code}"):
        yield Refusal("number", "not_in_country", "does not begin with the code of its country")
    elif not unusual and not _is_known(number, str(code)):
        advice = "unusual_number takes it all the same"
        yield Refusal("number", "unusual_number", f"no range of its country holds such a number; {advice}")


def _is_known(number: str, code: str) -> bool:
    # phonenumbers.parse would guess what an E.164 number says plainly, at three times the price.
    national = number[len(code) + 1 :]
    zeros = len(national) - len(national.lstrip("0"))
    if not national or zeros == len(national):
        return False
    parsed = phonenumbers.PhoneNumber(
        country_code=int(code),
        national_number=int(national),
        italian_leading_zero=zeros > 0 or None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )
    return phonenumbers.is_valid_number(parsed)


def ddi_refusals(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Iterator[Refusal]:
    """Rules between a DDI's fields, and from what it was (None: it is made now)."""
    state, before = new["state"], old["state"] if old is not None else None
    if before is None and state not in FIRST_STATES:
        yield Refusal("state", "not_a_first_state", f"a new number is one of: {_list(FIRST_STATES)}")
    elif before is not None and state != before and state not in FOLLOWS[before]:
        yield Refusal("state", "does_not_follow", f"{before} may become: {_list(FOLLOWS[before])}")
    given = old is None or new["client_id"] != old["client_id"]
    if given and new["client_id"] is not None and state in NOT_TO_GIVE:
        yield Refusal("client_id", "not_to_give", f"a number in {state} is given to nobody")
    if new["kind"] == "out":
        if new["ddi_provider_id"] is not None:
            yield Refusal("ddi_provider_id", "only_inout", "a number for presentation only is never called")
        if new["target"] != "none":
            yield Refusal("target", "only_inout", "a number for presentation only is never called")


def target_refusals(new: Mapping[str, Any], features: Collection[str] | None) -> Iterator[Refusal]:
    """Where its calls go, and what its client has; `features` None: it lies in the pool."""
    if (new["target"] in ("device", "voicemail")) != (new["device_id"] is not None):
        message = "goes with target device or voicemail, and only with them"
        yield Refusal("device_id", "target_mismatch", message)
    if (new["target"] == "fax") != (new["fax_id"] is not None):
        yield Refusal("fax_id", "target_mismatch", "goes with target fax, and only with it")
    if new["client_id"] is None:
        for field in ("device_id", "fax_id", "call_filter_id", "display_name", "language"):
            if new[field] is not None:
                yield Refusal(field, "needs_client", "a number in the pool has none")
    wanted = (
        ("record", "recordings", new["record"] != "none"),
        ("target", "faxes", new["target"] == "fax"),
        ("target", "voicemail", new["target"] == "voicemail"),
    )
    for field, feature, used in wanted:
        if used and feature not in (features or ()):
            yield Refusal(field, "feature_not_in_client", f"the client has no {feature}")


def _list(states: frozenset[str]) -> str:
    return ", ".join(sorted(states))
