"""Secrets at rest that must be read again (HA1 pairs, TOTP secrets, signing keys): sealed with a key.

AES-256-GCM, bound to where it belongs, so that a sealed value copied into another row does not open. What
only its holder needs is kept as a hash: passwords (`provisioning.accounts`), keys (`chassis.api_keys`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from landline.chassis.settings import Settings

_FORM = "s1"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class NoSecretsKey(ValueError):
    """`LANDLINE_SECRETS_KEY` is missing or not base64 of 32 bytes."""


class CannotUnseal(ValueError):
    """Sealed with a key we don't have, for another place, or damaged. Never says which part of the text."""


class Keyring:
    """The operator's keys: the first seals, all of them unseal (old ones stay until all is sealed anew)."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        """Keys of 32 bytes each, newest first; NoSecretsKey when there is none or one has another length."""
        given = list(keys)
        if not given or any(len(key) != _KEY_BYTES for key in given):
            raise NoSecretsKey("LANDLINE_SECRETS_KEY must be base64 of 32 bytes (several: comma-separated)")
        self._ciphers = {_key_id(key): AESGCM(key) for key in given}
        self.newest = _key_id(given[0])

    @classmethod
    def of(cls, settings: Settings) -> Keyring:
        """From `settings.secrets_key`: base64 of 32 bytes; during a rotation `new,old`."""
        text = settings.secrets_key.get_secret_value()
        try:
            return cls(
                base64.b64decode(part.strip(), validate=True) for part in text.split(",") if part.strip()
            )
        except binascii.Error as error:
            raise NoSecretsKey("LANDLINE_SECRETS_KEY is not base64") from error

    def seal(self, plaintext: str, place: str) -> str:
        """Encrypt. `place` says where it belongs, such as `device:<id>`; unsealing needs the same."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self.newest].encrypt(nonce, plaintext.encode(), place.encode())
        return f"{_FORM}.{self.newest}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def unseal(self, sealed: str, place: str) -> str:
        """Decrypt what `seal` made for the same place; CannotUnseal otherwise."""
        form, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        cipher = self._ciphers.get(key_id)
        if form != _FORM or cipher is None:
            raise CannotUnseal("sealed with a key that is not in LANDLINE_SECRETS_KEY")
        try:
            raw = base64.urlsafe_b64decode(body.encode())
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise CannotUnseal("damaged, or sealed for another place") from error

    def is_stale(self, sealed: str) -> bool:
        """True when it was sealed with an older key and wants sealing anew."""
        return not sealed.startswith(f"{_FORM}.{self.newest}.")


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"landline key id\0" + key).hexdigest()[:8]
