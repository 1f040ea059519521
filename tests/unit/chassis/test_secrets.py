"""Sealed secrets open only with the right key and in the right place."""

from __future__ import annotations

import base64

import pytest
from landline.chassis.secrets import CannotUnseal, Keyring, NoSecretsKey
from landline.chassis.settings import Settings

OLD, NEW = b"o" * 32, b"n" * 32


def test_what_is_sealed_opens_in_its_place() -> None:
    """HA1 pairs sealed by provisioning are opened by call-control."""
    ring = Keyring([NEW])
    sealed = ring.seal("pässword", "device:1")
    assert "pässword" not in sealed
    assert ring.unseal(sealed, "device:1") == "pässword"


def test_the_same_text_never_looks_the_same() -> None:
    """Equal ciphertexts would tell who shares a password."""
    ring = Keyring([NEW])
    assert ring.seal("x", "a") != ring.seal("x", "a")


def test_a_rotated_key_still_opens_what_the_old_one_sealed() -> None:
    """During a rotation both keys are configured; everything stays readable and tells that it is stale."""
    sealed = Keyring([OLD]).seal("x", "a")
    both = Keyring([NEW, OLD])
    assert both.unseal(sealed, "a") == "x"
    assert both.is_stale(sealed)
    assert not both.is_stale(both.seal("x", "a"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda s: s[:-5],
        lambda s: s[:-5] + ("AAAA=" if not s.endswith("AAAA=") else "BBBB="),
        lambda s: s.replace("s1.", "s2.", 1),
        lambda s: s.rpartition(".")[0] + ".",
        lambda s: s.rpartition(".")[0] + ".é",
        lambda s: "",
        lambda s: "s1",
    ],
)
def test_damaged_text_does_not_open(damage: object) -> None:
    """Neither a crash nor a wrong secret: one error."""
    ring = Keyring([NEW])
    assert callable(damage)
    with pytest.raises(CannotUnseal):
        ring.unseal(damage(ring.seal("a secret of some length", "a")), "a")


def test_a_sealed_value_copied_to_another_row_does_not_open() -> None:
    """Else who can write the table could give one device another's password."""
    ring = Keyring([NEW])
    with pytest.raises(CannotUnseal):
        ring.unseal(ring.seal("x", "device:1"), "device:2")


def test_another_key_does_not_open() -> None:
    """A stolen table is worth nothing without the operator's key."""
    with pytest.raises(CannotUnseal):
        Keyring([NEW]).unseal(Keyring([OLD]).seal("x", "a"), "a")


@pytest.mark.parametrize("text", ["", "short", "%%%", base64.b64encode(b"x" * 31).decode(), " , "])
def test_a_key_that_is_none_is_refused_at_the_start(text: str) -> None:
    """Secrets sealed with an empty key would look safe and not be."""
    with pytest.raises(NoSecretsKey):
        Keyring.of(Settings(_env_file=None, secrets_key=text))


def test_keys_come_from_the_settings_newest_first() -> None:
    """`LANDLINE_SECRETS_KEY=new,old` is how an operator rotates."""
    text = ", ".join(base64.b64encode(key).decode() for key in (NEW, OLD))
    ring = Keyring.of(Settings(_env_file=None, secrets_key=text))
    assert ring.newest == Keyring([NEW]).newest
    assert ring.unseal(Keyring([OLD]).seal("x", "a"), "a") == "x"
