"""Every reason to refuse a call, in one table: machine code, SIP answer, and a sentence with its remedy.

A denial is a value, not an exception: it is a normal answer of a decision (promise 3).
The sentence is for people who read why a call failed; `detail` adds this call's figures.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """What a denial code means: the SIP answer (RFC 3261 section 21) and what to do about it."""

    code: str
    sip_code: int
    sip_reason: str
    sentence: str
    retry_after_s: int | None = None
    announcement: str | None = None
    """What the media endpoint tells the caller: the end of `sip:ann+<announcement>@<server>`."""

    @property
    def remedy(self) -> str:
        """What to do about it: the sentence after the one that says why."""
        return self.sentence.partition(". ")[2]


_TABLE = (
    Reason("domain_required", 488, "Domain required",
           "The device used an IP address as its SIP domain. Set the brand's SIP domain in the device."),
    Reason("unknown_domain", 403, "Unknown domain",
           "The SIP domain belongs to no brand. Set the brand's SIP domain in the device."),
    Reason("unknown_device", 404, "Unknown device",
           "The brand has no device of that name. Check the SIP user, or create the device."),
    Reason("identity_mismatch", 403, "Identity mismatch",
           "From names another account than the one that authenticated. Use the device's own name in From."),
    Reason("disabled", 403, "Disabled",
           "The client or its device is switched off. Enable it to allow calls."),
    Reason("source_not_device", 403, "Source is not the device",
           "A device with direct connectivity called from another address. Correct the device's address."),
    Reason("source_not_allowed", 403, "Source not allowed",
           "The address is neither an authorized source nor in an allowed country. "
           "Add one of them, or switch the client's IP filter off."),
    Reason("service_unavailable", 480, "Service unavailable",
           "The service of this code can't be used now. Set it in the portal, or try again later."),
    Reason("invalid_number", 484, "Address Incomplete",
           "What was dialled is no telephone number. Check it, and the transformation set of the client."),
    Reason("no_presentation_number", 403, "No presentation number",
           "There is no active number to show. Give the client or the device an outgoing DDI."),
    Reason("barred", 403, "Barred",
           "The client has barred this destination, always or at this time. "
           "Change or remove the barring to allow the call."),
    Reason("risk_barred", 403, "Destination not allowed",
           "The destination is of a risk class that the client may not call. "
           "Add the class to the client's allowed_risk_classes, or class the prefix as normal."),
    Reason("too_expensive", 403, "Too expensive",
           "A minute to this destination costs more than the price cap. Raise price_cap_per_minute."),
    Reason("too_fast", 503, "Too many calls",
           "Too many calls were placed within a minute. Wait a moment, or raise max_calls_per_minute.", 60),
    Reason("hourly_limit_reached", 403, "Hourly limit reached",
           "This hour's spend limit has no room for this call. "
           "Raise spend_per_hour, or wait for the next hour."),
    Reason("blocked", 403, "Destination blocked",
           "A blocking route matches this destination. Remove it to allow the call."),
    Reason("no_route", 404, "No route to destination",
           "No route with a carrier that works matches this destination. Add a route for it."),
    Reason("no_rating_profile", 403, "No rating profile",
           "The client has no rating profile that is active now. Give it one."),
    Reason("no_rate", 403, "No rate for destination",
           "The client's rating plan has no price for this destination now. Add it to a rate deck."),
    Reason("max_calls_reached", 403, "Max calls reached",
           "All simultaneous calls are in use. Raise max_calls, or wait until a call ends."),
    Reason("daily_limit_reached", 403, "Daily limit reached",
           "Today's spend limit has no room for this call. Raise the limit, or wait for the next day."),
    Reason("no_credit", 402, "Payment Required",
           "The balance does not pay the first seconds of this call. Top up the client's balance."),
    Reason("rates_unavailable", 503, "Service Unavailable",
           "Rates can't be read at the moment, and nothing goes out unpriced. Try again.", 5),
    Reason("unknown_provider", 403, "Unknown provider",
           "An inbound call came from an address that belongs to no DDI provider. Add the address to one."),
    Reason("unknown_number", 404, "Unknown number",
           "The called number is no active DDI of the provider's brand that takes calls. "
           "Create or activate it."),
    Reason("unassigned_number", 404, "Unassigned number",
           "The called DDI lies in the brand's pool. Give it to a client.",
           announcement="unassigned-number"),
    Reason("no_destination", 404, "No destination",
           "The called DDI has no target. Let it lead to a device."),
    Reason("spoofed_caller", 403, "Spoofed caller",
           "A call from outside shows a number of this platform as its caller. "
           "Switch reject_spoofed off in the brand if its numbers may also call from elsewhere."),
    Reason("rejected_by_filter", 603, "Decline",
           "The call filter of the called number rejects this caller or this time. Change the filter."),
    # RFC 5079: the caller may call again with its number shown.
    Reason("anonymous_rejected", 433, "Anonymity Disallowed",
           "The call filter of the called number takes no anonymous calls. Show a number, "
           "or let anonymous callers through."),
    Reason("too_many_forwards", 483, "Too Many Hops",
           "The call was forwarded five times already. Shorten the chain of forwards."),
    Reason("forward_loop", 482, "Loop Detected",
           "A forward leads back to a number that this call has passed. Change one of the forwards."),
    Reason("busy", 486, "Busy Here",
           "The called device is busy, and has no forward for it. Add one, or call again later."),
    Reason("no_answer", 480, "No Answer",
           "Nobody answered at the called device, and it has no forward for that. Add one to a number "
           "or to voicemail."),
    Reason("declined", 603, "Decline",
           "The called device declined the call. Call again later."),
    Reason("forward_failed", 480, "Temporarily Unavailable",
           "The number that the call was forwarded to did not take it. "
           "Call again later, or change the forward."),
    Reason("too_many_contacts", 403, "Too many contacts",
           "The device is registered from as many places as it may be. Let one of them expire, or switch "
           "multi_contact off so that the latest replaces the others."),
    Reason("not_registered", 480, "Not registered",
           "The called device is not registered at the moment. Check its connection and its password."),
)  # fmt: skip

BUSY = Reason(
    "max_calls_reached",
    486,
    "Busy Here",
    "All simultaneous calls of the called client are in use. Raise max_calls, or wait until one ends.",
)
"""`max_calls_reached` as a caller from outside is told."""

DEVICE_BUSY = Reason(
    "max_calls_reached",
    486,
    "Busy Here",
    "The called device has as many calls as its max_calls lets it receive. Raise it, or wait until one ends.",
)
"""`max_calls_reached` of a device: its call waiting limit."""

REASONS = {reason.code: reason for reason in _TABLE}


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal: its reason, this call's figures, and the step (domain.md section 4) that refused.

    `limit` and `value`: the rule's figure and this call's, where there are such.
    """

    reason: Reason
    detail: str
    step: str = ""
    limit: str | None = None
    value: str | None = None
    retry_after_s: int | None = None
    """When to try again, where this call's figures say it better than its reason."""

    @property
    def code(self) -> str:
        return self.reason.code


def deny(code: str, detail: str, *, limit: str | None = None, value: str | None = None) -> Denial:
    """The denial of a code of the table; KeyError for a code that is not in it."""
    return Denial(REASONS[code], detail, limit=limit, value=value)
