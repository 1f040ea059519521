"""Keys of edges and integrators are found by their prefix, compared by their hash, and kept by neither."""

from __future__ import annotations

import hashlib

import pytest
from landline.chassis.api_keys import key_parts, new_key


def test_a_new_key_is_found_by_its_prefix_and_compared_by_its_hash() -> None:
    """What the database keeps must match what the bearer sends, and not be the key."""
    made = new_key()
    assert key_parts(made.token) == (made.prefix, made.sha256)
    assert made.sha256 == hashlib.sha256(made.token.encode()).hexdigest()
    assert made.token.startswith(f"llk_{made.prefix}_")
    assert new_key().token != made.token


@pytest.mark.parametrize("damage", ["{}x", "{}\n", "abc{}", "", "llk_", "llk_12345678_short"])
def test_what_has_not_the_form_of_a_key_is_looked_up_nowhere(damage: str) -> None:
    """Else every bearer token would cost a look-up."""
    assert key_parts(damage.format(new_key().token)) is None
