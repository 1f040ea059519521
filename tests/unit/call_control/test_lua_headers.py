"""The scripts are documented as style.md section 3 asks, and the code agrees with the headers."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from call_control.adapters import scripts
from call_control.domain.replies import Status
from landline.chassis.lua import Script, ScriptHeaderMissing

RETURNED = re.compile(r"\{ '([A-Z_]{3,})'")


def test_every_script_of_the_folder_has_a_header() -> None:
    """One without it can't be loaded, and nobody can tell how to call it."""
    found = {item.name for item in (files("call_control") / "lua").iterdir() if item.name.endswith(".lua")}
    loaded = {Script("call_control", name).name for name in found if not name.startswith("_")}
    assert {script.name for script in scripts.ALL} <= loaded


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_a_header_names_exactly_the_statuses_that_are_returned(script: Script) -> None:
    """Callers are written from the header."""
    returned = set(RETURNED.findall(script.text))
    assert returned == script.statuses
    assert returned <= {status.value for status in Status}


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_a_header_counts_keys_and_arguments_as_the_body_uses_them(script: Script) -> None:
    """An argument more or less moves all that follow it."""
    body = script.source.partition("-- include")[2]
    for parameters, word in ((script.keys, "KEYS"), (script.argv, "ARGV")):
        used = [int(number) for number in re.findall(rf"{word}\[(\d+)\]", body)]
        assert max(used, default=0) <= len(parameters.names)


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_no_script_prints_a_number_by_itself(script: Script) -> None:
    """tostring(1e15) is 1e+15, and HINCRBY refuses it."""
    assert "tostring(" not in script.text


def test_a_wrong_number_of_keys_or_arguments_is_refused_before_it_is_sent() -> None:
    """The server would read one argument as another."""
    assert scripts.DEFER.keys.fit(2)
    assert not scripts.DEFER.keys.fit(3)
    assert not scripts.DEFER.argv.fit(2)
    assert scripts.SET_BALANCE.argv.fit(5)
    assert scripts.SET_BALANCE.argv.fit(10)
    assert not scripts.SET_BALANCE.argv.fit(4)


def test_a_script_without_a_header_is_refused() -> None:
    """Fragments are no scripts."""
    with pytest.raises(ScriptHeaderMissing):
        Script("call_control", "_guard.lua")
