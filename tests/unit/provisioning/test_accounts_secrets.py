"""Secrets of devices: HA1 as SIP digest computes it, and the password policy of model-system 1.2."""

from __future__ import annotations

import hashlib

import pytest
from provisioning.accounts.secrets import device_password_faults, generate_device_password, ha1_pair

GOOD = "ABCabc123+"


def test_ha1_is_that_of_the_rfc() -> None:
    """RFC 7616 section 3.9.1 with its values: another HA1 and no device could register."""
    pair = ha1_pair("Mufasa", "http-auth@example.org", "Circle of Life")
    assert pair.md5_hex == "3d78807defe7de2157e2b0b6573a855f"
    text = b"Mufasa:http-auth@example.org:Circle of Life"
    assert pair.sha256_hex == hashlib.sha256(text).hexdigest()
    assert pair.sha256_hex == "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"


def test_a_password_with_letters_beyond_ascii_is_utf_8() -> None:
    """RFC 7616 section 4: charset UTF-8; Latin-1 would lock out every device with an accent."""
    assert ha1_pair("u", "r", "ñ").md5_hex == hashlib.md5("u:r:ñ".encode()).hexdigest()


@pytest.mark.parametrize(("user", "realm"), [("a:b", "r"), ("u", "r:80")])
def test_a_colon_is_refused(user: str, realm: str) -> None:
    """`a:b` with realm `c` and `a` with realm `b:c` would share one HA1."""
    with pytest.raises(ValueError, match="colon"):
        ha1_pair(user, realm, "p")


@pytest.mark.parametrize(
    ("password", "codes"),
    [
        (GOOD, []),
        ("ABCabc12+", ["too_short", "digit"]),
        ("", ["too_short", "upper", "lower", "digit", "special"]),
        ("ABabcd1234+", ["upper"]),
        ("ABCDab1234+", ["lower"]),
        ("ABCDabcd12+", ["digit"]),
        ("ABCabc1234", ["special"]),
        ("ABCabc123+ ", ["characters"]),
        ("ABCabc123+ñ", ["characters"]),
        ("ABCabc123+\x00", ["characters"]),
        (GOOD + "a" * 55, ["too_long"]),
        (GOOD + "a" * 54, []),
    ],
)
def test_a_device_password_is_told_everything_that_is_wrong(password: str, codes: list[str]) -> None:
    """One answer names all rules; a weak SIP password is toll fraud within hours."""
    assert [fault.code for fault in device_password_faults(password)] == codes


def test_generated_passwords_pass_the_policy_and_differ() -> None:
    """A generator that its own policy refuses, or that repeats, would be found by customers."""
    made = [generate_device_password() for _ in range(200)]
    assert [p for p in made if device_password_faults(p)] == []
    assert len(set(made)) == 200
