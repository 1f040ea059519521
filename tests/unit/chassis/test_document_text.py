"""YAML that means what JSON means, whoever wrote it; what we write reads the same everywhere."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from landline.chassis.document_text import Unreadable, read_text, write_yaml

YAML, JSON = "application/yaml", "application/json"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("+34600123123", "+34600123123"),
        ("0034600", "0034600"),
        ("08:30", "08:30"),
        ("10:30", "10:30"),
        ("2026-01-01", "2026-01-01"),
        ("0x1F", "0x1F"),
        ("1e3", "1e3"),
        ("1_000", "1_000"),
        ("7", 7),
        ("-7", -7),
        ("true", True),
        ("null", None),
        ("~", None),
        ('"7"', "7"),
        ("[a, 1]", ["a", 1]),
        ("{a: {}}", {"a": {}}),
    ],
)
def test_a_plain_word_is_a_text_unless_json_gives_it_a_meaning(text: str, value: Any) -> None:
    """Norway must not become false, nor a number lose its plus."""
    assert read_text(f"x: {text}".encode(), YAML) == {"x": value}


AMBIGUOUS = [
    "NO",
    "y",
    "+34600",
    "0034600",
    "10:30",
    "2026-01-01",
    "1e3",
    "0o7",
    "0x1F",
    "1_0",
    "",
    "~",
    ".5",
]


@pytest.mark.parametrize("value", [*AMBIGUOUS, "é", " a", "a: b", "#1", "*", "&a", "- x", 'q"', "l\nm"])
def test_what_we_write_any_parser_reads_back(value: str) -> None:
    """PyYAML's own YAML 1.1 loader stands for the others."""
    written = write_yaml({"x": [value, 1, True, None, "1.50"]})
    expected = {"x": [value, 1, True, None, "1.50"]}
    assert yaml.safe_load(written) == expected
    assert read_text(written.encode(), YAML) == expected


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"a: 1\na: 2", YAML, "malformed_yaml"),
        (b"1: a", YAML, "malformed_yaml"),
        (b"a: &b 1\nc: *b", YAML, "malformed_yaml"),
        (b"a: !!python/object:os.system x", YAML, "malformed_yaml"),
        (b"a: !!int x", YAML, "malformed_yaml"),
        (b"a: !!int ''", YAML, "malformed_yaml"),
        (b"a: !!bool x", YAML, "malformed_yaml"),
        (b"a: !!float [1]", YAML, "malformed_yaml"),
        (b"a: !!timestamp x", YAML, "malformed_yaml"),
        (b"a: !!timestamp 2026-13-45", YAML, "malformed_yaml"),
        (b"a: !!binary aGk=", YAML, "malformed_yaml"),
        (b"a: !!set {b, c}", YAML, "malformed_yaml"),
        (b"\xff\xfe\xfa", YAML, "malformed_yaml"),
        (b"a: [", YAML, "malformed_yaml"),
        (b"[" * 25 + b"]" * 25, YAML, "too_deep"),
        (b"{", JSON, "malformed_json"),
        (b'{"a": 1, "a": 2}', JSON, "malformed_json"),
        (b'{"a": NaN}', JSON, "malformed_json"),
        (b"\xff", JSON, "malformed_json"),
        (b"", JSON, "malformed_json"),
        (b"1" * 5000, JSON, "malformed_json"),
        (b"[" * 100_000, JSON, "too_deep"),
        (b"[" * 25 + b"]" * 25, JSON, "too_deep"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(body: bytes, kind: str, code: str) -> None:
    """Never a crash, never half a document."""
    with pytest.raises(Unreadable) as refused:
        read_text(body, kind)
    assert refused.value.code == code
    assert refused.value.message
