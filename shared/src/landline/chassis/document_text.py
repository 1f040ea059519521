"""Documents as text: JSON, or YAML that means what JSON means.

YAML as most parsers read it turns `NO` into false, `+34600123123` into an integer and `08:30` into 510, and
lets nine lines of anchors grow to gigabytes. Here a plain word is a text unless JSON gives it a meaning, and
anchors are refused. What we write is quoted so that other parsers read the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import yaml

DEEPEST = 20
JSON_TYPE = "application/json"
YAML_TYPE = "application/yaml"


class Unreadable(ValueError):
    """A text that is no document: `code` for machines, the message with line and column for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


_PLAIN = (
    ("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"]),
    ("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]{0,18})$"), list("-0123456789")),
    ("tag:yaml.org,2002:float", re.compile(r"^-?(?:0|[1-9][0-9]{0,18})\.[0-9]{1,18}$"), list("-0123456789")),
)


_OF_JSON_TOO = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", None)  # None: refuses every other tag


class _JsonLikeLoader(yaml.CSafeLoader):
    """Only what JSON has, also where a tag says so: no dates, no sets, no bytes."""

    yaml_implicit_resolvers: dict[str, Any] = {}
    yaml_constructors: ClassVar[dict[Any, Any]] = {
        tag: yaml.CSafeLoader.yaml_constructors[tag] for tag in _OF_JSON_TOO
    }


def _plain(expression: re.Pattern[str]) -> Callable[[yaml.CSafeLoader, yaml.ScalarNode], Any]:
    def construct(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> Any:
        text = loader.construct_scalar(node)
        if not expression.fullmatch(text):
            raise yaml.constructor.ConstructorError(None, None, "not what its tag says", node.start_mark)
        return None if text in ("", "~") else json.loads(text)

    return construct


for _tag, _expression, _first in _PLAIN:
    _JsonLikeLoader.add_implicit_resolver(_tag, _expression, _first)
    _JsonLikeLoader.add_constructor(_tag, _plain(_expression))


def _mapping(loader: yaml.CSafeLoader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str) or key in found:
            what = "twice in one mapping" if isinstance(key, str) else "a key must be a text"
            raise yaml.constructor.ConstructorError(None, None, what, key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_JsonLikeLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_text(raw: bytes, media_type: str) -> Any:
    """The document in a body; Unreadable says where it is broken."""
    read = _read_yaml if "yaml" in media_type else _read_json
    try:
        found = read(raw)
    except RecursionError:
        _refuse("too_deep", f"nested deeper than {DEEPEST}")
    if _depth(found) > DEEPEST:
        _refuse("too_deep", f"nested deeper than {DEEPEST}")
    return found


def _read_json(raw: bytes) -> Any:
    try:
        return json.loads(raw, object_pairs_hook=_unique_pairs, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _refuse("malformed_json", f"line {error.lineno}, column {error.colno}: {error.msg}")
    except ValueError as error:
        _refuse("malformed_json", str(error)[:200])


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _read_yaml(raw: bytes) -> Any:
    try:
        _no_aliases(raw)
        return yaml.load(raw, _JsonLikeLoader)
    except yaml.MarkedYAMLError as error:
        _refuse("malformed_yaml", f"{_place(error.problem_mark)}{error.problem or 'not readable'}"[:200])
    except Unreadable:
        raise
    except (yaml.YAMLError, ValueError):
        _refuse("malformed_yaml", "not readable as UTF-8 text")


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def _no_aliases(raw: bytes) -> None:
    """Before anything is built: what is small as text can be huge as values."""
    if b"*" not in raw:
        return
    for event in yaml.parse(raw, _JsonLikeLoader):
        if isinstance(event, yaml.AliasEvent):
            _refuse("malformed_yaml", f"{_place(event.start_mark)}anchors and aliases are not taken")


def _refuse(code: str, message: str) -> NoReturn:
    raise Unreadable(code, message)


def _depth(value: Any) -> int:
    deepest, todo = 0, [(value, 1)]
    while todo and deepest <= DEEPEST:
        one, depth = todo.pop()
        deepest = max(deepest, depth)
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        todo += [(child, depth + 1) for child in inner]
    return deepest


class _QuotingDumper(yaml.CSafeDumper):
    """Quotes what YAML 1.1 or 1.2 would take for something else than a text."""

    yaml_implicit_resolvers = {k: list(v) for k, v in yaml.CSafeDumper.yaml_implicit_resolvers.items()}


_NUMBER_OF_1_2 = re.compile(
    r"^(?:0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)$"
)
_QuotingDumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER_OF_1_2, list("-+.0123456789"))


def write_yaml(document: Any) -> str:
    """YAML with the order of the document, readable by any parser of YAML 1.1 or 1.2."""
    return str(yaml.dump(document, Dumper=_QuotingDumper, sort_keys=False, allow_unicode=True, width=110))
