"""Passwords of people, access tokens, throttled subjects and one-time codes: what needs no store."""

from __future__ import annotations

import jwt
import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from provisioning.accounts.passwords import Passwords, password_faults
from provisioning.accounts.second_factor import matching_step
from provisioning.accounts.throttle import Subject
from provisioning.accounts.tokens import Identity, SigningKey, access_token, new_refresh_token, refresh_hash


async def test_a_password_is_known_again_and_kept_as_argon2id() -> None:
    """A fast hash would give away every password with the first stolen backup."""
    passwords = Passwords()
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert (await passwords.check("correct horse", stored)).right
    assert not (await passwords.check("Correct horse", stored)).right


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$broken"])
async def test_without_a_usable_hash_nobody_gets_in(stored: str | None) -> None:
    """Not even with the password of the dummy that unknown users are checked against."""
    assert not (await Passwords().check("a password nobody has", stored)).right


async def test_a_hash_of_lower_cost_is_renewed() -> None:
    """Raising the cost must reach the accounts that exist."""
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)).hash("p")
    checked = await Passwords().check("p", cheap)
    assert checked.right
    assert checked.new_hash is not None
    assert (await Passwords().check("p", checked.new_hash)).new_hash is None


@pytest.mark.parametrize(
    ("password", "codes"),
    [
        ("correct horse battery", []),
        ("short", ["too_short"]),
        ("x" * 300, ["too_long", "too_simple"]),
        ("aaaaaaaaaaaa", ["too_simple"]),
        ("Password1234!", ["too_simple"]),
        ("my-Carmen-2026", ["contains_username"]),
    ],
)
def test_a_new_password_is_told_everything_that_is_wrong(password: str, codes: list[str]) -> None:
    """The rules of people's passwords, each with its own code."""
    assert [code for code, _ in password_faults(password, "carmen")] == codes


def test_an_access_token_says_who_and_for_how_long() -> None:
    """Every service reads these claims by name; a renamed one locks everybody out."""
    key = SigningKey("k1", Ed25519PrivateKey.generate())
    identity = Identity("a1", "ann", "client", "b1", "c1", "a1", {"ddis": "ru"})
    token = access_token(key, identity, "s1", 1_700_000_000)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "typ": "JWT", "kid": "k1"}
    claims = jwt.decode(token, key.private.public_key(), algorithms=["EdDSA"], options={"verify_exp": False})
    assert claims == {
        "iss": "landline",
        "sub": "a1",
        "sid": "s1",
        "lvl": "client",
        "bid": "b1",
        "cid": "c1",
        "name": "ann",
        "imp": "a1",
        "rights": {"ddis": "ru"},
        "iat": 1_700_000_000,
        "exp": 1_700_000_600,
    }


def test_refresh_tokens_are_random_and_kept_as_hashes() -> None:
    """A copy of the table must not open a session; odd text must not crash the look-up."""
    first, second = new_refresh_token(), new_refresh_token()
    assert first != second
    assert len(first) > 40
    assert refresh_hash(first) not in (first.encode(), refresh_hash(second))
    assert len(refresh_hash("\ud800")) == 32


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("testclient", "testclient", True),
    ],
)
def test_an_address_is_a_subscriber(one: str, other: str, same: bool) -> None:
    """Somebody with an IPv6 /64 has 2^64 addresses: counting each would throttle nobody."""
    assert (Subject.address(one).key == Subject.address(other).key) is same


def test_an_account_is_one_whatever_its_case() -> None:
    """`ADMIN` and `admin` log in to one account, so they share its attempts."""
    assert Subject.account("ADMIN").key == Subject.account("admin").key
    assert Subject.account("admin").key != Subject.address("admin").key


@pytest.mark.parametrize(("drift_s", "found"), [(0, 0), (-30, -1), (30, 1), (-61, None), (61, None)])
def test_a_code_is_good_for_its_step_and_the_neighbours(drift_s: int, found: int | None) -> None:
    """A telephone's clock is seconds off, not minutes."""
    secret, now_s = pyotp.random_base32(), 1_800_000_000
    code = pyotp.TOTP(secret).at(now_s + drift_s)
    step = matching_step(secret, code, now_s)
    assert step == (None if found is None else now_s // 30 + found)
