"""API keys, as every process knows them: 256 random bits, looked up by a prefix, compared by SHA-256.

Provisioning keeps them (`api-keys`), writes them to the Redis hash `landline:api-keys` and tells each change
on `landline:config`. A process asks the hash when it meets a prefix for the first time and again a minute
later; what it hears on the stream goes before the hash, so that a revoked key is out within moments.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import string
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, cast

import msgspec

from landline.chassis.principal import PersonLevel, level_of
from landline.chassis.streams import AnyRedis
from landline.contracts.provisioning.events import EntityChanged

API_KEYS_HASH = "landline:api-keys"
REMEMBERED = 10_000
GOOD_FOR_S = 60.0
JUST_MADE_S = 0.3
_FORM = re.compile(r"llk_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")
_LETTERS = string.ascii_letters + string.digits


class KeyParts(NamedTuple):
    """What is looked up (`prefix`) and compared (`sha256`, hex) of a random key."""

    prefix: str
    sha256: str


class NewKey(NamedTuple):
    """A key as made: `token` is shown once, its `prefix` and `sha256` (hex) are kept."""

    token: str
    prefix: str
    sha256: str


def new_key() -> NewKey:
    """A new key for an edge or an integrator, `llk_<prefix8>_<256 random bits>`: only its row says whose."""
    prefix = "".join(secrets.choice(_LETTERS) for _ in range(8))
    token = f"llk_{prefix}_{secrets.token_urlsafe(32)}"
    return NewKey(token, prefix, _sha256(token))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def key_parts(key: str) -> KeyParts | None:
    """Prefix and hash of a key, or None when the text has not the form of one."""
    match = _FORM.fullmatch(key)
    return KeyParts(match[1], _sha256(key)) if match else None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as verifiers see it. `rights` as of a Principal; `expires_at_s` None: until it is revoked."""

    ENTITY: ClassVar[str] = "api_key"

    id: str
    version: int
    name: str
    brand_id: str | None
    client_id: str | None
    rights: Mapping[str, str] | None
    sha256: str
    active: bool
    expires_at_s: float | None

    @property
    def level(self) -> PersonLevel:
        """Where it stands, by whose it is."""
        return level_of(self.brand_id, self.client_id)

    def valid_at(self, now_s: float) -> bool:
        """Neither revoked nor expired."""
        return self.active and (self.expires_at_s is None or now_s < self.expires_at_s)

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> ApiKey:
        """From a row as published: the REST fields, `key_sha256` and `version`."""
        expires = row["expires_at"]
        return cls(
            id=row["id"],
            version=row["version"],
            name=row["name"],
            brand_id=row["brand_id"],
            client_id=row["client_id"],
            rights=row["rights"] if row["restricted"] else None,
            sha256=row["key_sha256"],
            active=row["active"],
            expires_at_s=datetime.fromisoformat(expires).timestamp() if expires else None,
        )


class KnownApiKeys:
    """One process's knowledge of API keys, bounded."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._found: OrderedDict[str, tuple[ApiKey, float]] = OrderedDict()
        self._heard: OrderedDict[str, ApiKey | None] = OrderedDict()  # by prefix; None: gone
        self._missed: OrderedDict[str, None] = OrderedDict()
        self._versions: OrderedDict[str, tuple[int, str | None]] = OrderedDict()  # by id: version, prefix

    async def find(self, prefix: str) -> ApiKey | None:
        """The key of a prefix, or None. A key may be used the moment it was made: its event is waited for."""
        known = self._known(prefix)
        if known is not None:
            return known[0]
        raw = await cast("Any", self._redis.hget(API_KEYS_HASH, prefix))
        if raw is None:
            if prefix not in self._missed:  # once: an edge's key, or a forged one, is not waited for again
                _put(self._missed, prefix, None)
                await asyncio.sleep(JUST_MADE_S)
            return self._heard.get(prefix)
        key = ApiKey.read(msgspec.json.decode(raw))
        if prefix in self._heard or self._versions.get(key.id, (0, None))[0] > key.version:
            return self._heard.get(prefix)  # the stream told more while we asked
        _put(self._found, prefix, (key, time.monotonic()))
        return key

    def _known(self, prefix: str) -> tuple[ApiKey | None] | None:
        if prefix in self._heard:
            return (self._heard[prefix],)
        found = self._found.get(prefix)
        if found is not None and time.monotonic() - found[1] < GOOD_FOR_S:
            return (found[0],)
        return None

    def hear(self, change: EntityChanged) -> None:
        """Apply what the config stream tells; an older version than one that was heard changes nothing."""
        version, before = self._versions.get(change.entity_id, (0, None))
        if change.entity_version <= version:
            return
        key = None if change.deleted else ApiKey.read({**change.data, "version": change.entity_version})
        now = None if change.deleted else str(change.data["key_prefix"])
        for prefix, (found, _) in list(self._found.items()):
            if found.id == change.entity_id:
                before = prefix
        if before is not None and before != now:
            _put(self._heard, before, None)
        if now is not None:
            _put(self._heard, now, key)
        _put(self._versions, change.entity_id, (change.entity_version, now))


def _put(known: OrderedDict[str, Any], key: str, value: Any) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > REMEMBERED:
        known.popitem(last=False)
