"""Names of call-control's Redis keys. All that one admission touches shares the slot of `{p<k>}`.

Owners and lifetimes (the leak check of the tests knows them): call and attempt live 24 h after the end;
day until 72 h after its day; settled 7 days; rejected 48 h;
contacts until the last one expires; client, brand, unposted, live, due, edge and
the stream belong to their entity and stay.
"""

from __future__ import annotations

from functools import lru_cache


class Keys:
    """Key names of one partition. Immutable; `keys_of` hands out one per partition."""

    __slots__ = ("_tag", "calls", "confirm", "due", "live", "partition", "reserve_due")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self._tag = f"{{p{partition}}}:landline:"
        self.live = f"{self._tag}live"
        self.due = f"{self._tag}due"
        self.calls = f"{self._tag}calls"
        self.confirm = f"{self._tag}confirm"
        self.reserve_due = f"{self._tag}reserve-due"

    def call(self, call_id: str) -> str:
        return f"{self._tag}call:{call_id}"

    def client(self, client_id: str) -> str:
        return f"{self._tag}client:{client_id}"

    def unposted(self, client_id: str) -> str:
        return f"{self._tag}unposted:{client_id}"

    def reserved(self, client_id: str) -> str:
        return f"{self._tag}reserved:{client_id}"

    def brand(self, brand_id: str) -> str:
        return f"{self._tag}brand:{brand_id}"

    def day(self, client_id: str, day: str) -> str:
        return f"{self._tag}day:{client_id}:{day}"

    def attempt(self, edge_id: str | None, attempt_id: str) -> str:
        return f"{self._tag}attempt:{edge_id or '-'}:{attempt_id}"

    def contacts(self, device_id: str) -> str:
        return f"{self._tag}contacts:{device_id}"

    def edge(self, edge_id: str | None) -> str:
        return f"{self._tag}edge:{edge_id or '-'}"

    def settled(self, charged_id: str) -> str:
        return f"{self._tag}settled:{charged_id}"

    def pattern(self, kind: str) -> str:
        """For SCAN: all keys of a kind (client, brand, day, unposted) in this partition."""
        return f"{self._tag}{kind}:*"

    def rejected(self, subject: str, day: str) -> str:
        return f"{self._tag}rejected:{subject}:{day}"


@lru_cache(maxsize=64)
def keys_of(partition: int) -> Keys:
    """The names of one partition, 0..63."""
    return Keys(partition)


def keys_of_own(call_id: str) -> Keys:
    """The names of a call's partition, for an id that we have made: what came from outside is parsed."""
    return keys_of(int(call_id.partition("-")[0]))


def edge_state(edge_id: str) -> str:
    """Global hash: instance_id, boot_id, seen_ms and the state of the list being received."""
    return f"landline:edge:{edge_id}"


def account(registration_id: str) -> str:
    """Global hash: which edge registers an account at a DDI provider, and how it goes; gone with silence."""
    return f"landline:account:{registration_id}"


def auth_failures(source_ip: str) -> str:
    """Global hash: user@domain -> failures, of one source address."""
    return f"landline:auth-failures:{source_ip}"


BANS = "landline:bans"
"""Global sorted set: banned address -> until when (Unix ms); swept when it is listed or added to."""


def banned(source_ip: str) -> str:
    """Global string: until when (Unix ms) an address is banned; it ends by itself."""
    return f"landline:banned:{source_ip}"
