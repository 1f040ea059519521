"""What each operation of the edge API does, for those who integrate an edge (contracts section 4): OpenAPI's
words, and nothing else. Problem codes are in backquotes."""

from __future__ import annotations

from typing import Final

_REPEAT = "Repeat a failed report every 5 s until 204 or 404; repeated, late or out of order is fine."
_BUSY = "503 `call_busy`: other reports of the call are being written; repeat."

OPERATIONS: Final = {
    "calls": (
        "Decides on a new call, takes its slot and holds its money, and answers 200: an `allow` "
        "(outbound: `routes`; inbound: `targets`; several calls in one dialog: `legs` too), a `deny`, "
        "a `service` that a star code asked for, or a `challenge` when a digest is needed first.\n\n"
        "Idempotent by `attempt_id`, for each edge: the same answer while the call lives, for 30 s "
        "after a denial; 409 `call_over` after its end, 409 `attempt_reused` when the id belongs to "
        "another call. No Idempotency-Key.\n\n"
        "Meant to be answered within 10 ms (99th percentile at half of the saturating load), with at "
        "most 6 kB. 503: nothing can be decided now. Repeat with the same `attempt_id`; place "
        "emergency calls by `edges/fallback`.\n\n"
        "Every allow ends with `ended`, also when no dialog came about (408, 487, 500)."
    ),
    "ringing": (
        "The first 18x came. Bounds how long the call may ring unseen; costs nothing. 404: not a call "
        "of this edge.\n\n"
        f"{_REPEAT} {_BUSY}"
    ),
    "answered": (
        "The 2xx was passed on: billing and the first lease begin at `at`. A report that never comes "
        "is made good by a heartbeat or by `ended`. 404: not a call of this edge.\n\n"
        f"{_REPEAT} {_BUSY}"
    ),
    "ended": (
        "Settles the call once: charges whole seconds from answer to `at` (0 when never answered), "
        "frees its slot and hold, writes its record; the legs of its dialog end with it. A call "
        "already closed as lost is corrected. 404: neither known as this edge's nor proved by "
        "`ticket`.\n\n"
        f"{_REPEAT} {_BUSY} 503 `counters_unavailable` only where the ticket does not let us keep the "
        "report."
    ),
    "failed": (
        "A target did not take the call, which still rings: busy, no answer, not registered, or a "
        "302. Answers what is next: new `targets`, a forward as `legs` with `routes`, or a `deny` "
        "whose `sip_code` the caller gets. The call stays open until `ended`.\n\n"
        "Idempotent: the same failure gets the same answer. 404: no such call; 409 `call_answered`: "
        f"it talks, 409 `call_over`: it has ended. {_BUSY}"
    ),
    "heartbeat": (
        "One page of the edge's live calls, at most 100; send the whole list every 30 s. It reports "
        "answers that got lost, confirms leases, and ends calls that two complete lists in a row do "
        "not name. After 90 s of silence all calls of the edge end as lost. A new `boot_id` ends the "
        "calls of the old one.\n\n"
        "200 with what to hang up, extend and resync. The same page may be sent again. One edge key "
        "belongs to one instance: where two share it, absence from a list says nothing."
    ),
    "resync": (
        "Tickets of calls that a heartbeat called unknown, and of recently ended ones. Calls whose "
        "ticket is this edge's are restored: slot, hold up to now, leases; no limit is checked, since "
        "they talk already. Repeating it changes nothing. 200 with those restored and those that "
        "can't be proved."
    ),
    "registrations": (
        "Asks before the edge saves a contact, and tells when one is gone (`expires_s` 0, also when "
        "it expired). The digest is verified by the edge. 200 with `allow` and the bounds of expiry; "
        "a refusal says what to answer the device. Repeating it renews the contact."
    ),
    "auth_failures": (
        "A wrong password, or a name that does not exist. Counted by address: 10 names, or 100 "
        "failures, in 10 minutes ban it for 10 minutes. Each request counts. 200 says until when to "
        "drop what comes from there."
    ),
    "credentials": (
        "Digest secrets (HA1) of a device, to verify what it sends. Keep them in memory only; a "
        "command tells the edge to drop one that has changed. 404: no such device, or it has no "
        "password: answer it like a wrong password."
    ),
    "accounts": (
        "Says how the accounts go that this instance registers at DDI providers, and answers with all that "
        "it holds from now on: register what is new, unregister what is gone. Ask every 15 s and on "
        "command; after 60 s of silence another edge may have them. It may be repeated."
    ),
    "peers": (
        "Addresses whose calls need no digest: DDI providers, devices with a fixed address, carriers. "
        "Load it every 60 s and on command, and keep it on disk for a restart."
    ),
    "fallback": (
        "How emergency calls go out while call-control is away: numbers, routes and the caller to "
        "show, by SIP domain. Load it every 60 s and on command, and keep it on disk."
    ),
    "noop": (
        "Authenticates, reads the body and answers 700 bytes: the bench compares admissions with it. "
        "Decides nothing and keeps nothing."
    ),
}
"""By the names of `routes.EdgeRoutes`."""

PARAMETERS: Final = {
    "call_id": "`call_id` of the allow.",
    "user": "User name of the device, as in its digest or From.",
    "domain": "SIP domain of its brand; upper and lower case are the same.",
}
