"""The part of Jinja2 that operators may write: variables, `if`, comparison and a few filters.

Templates are written by tenants and rendered in our event loop. Jinja's sandbox keeps them away from
Python's insides, but not from `{% for %}` over 10^10 rounds or `'x' * 10^9`. So loops, calls, arithmetic,
attributes and inclusion are refused when a template is saved: what is left takes time and space in
proportion to its own length. (docs/decisions/0010)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notifier.domain.kinds import Kind

FILTERS = frozenset({"upper", "lower", "title", "capitalize", "trim", "default", "escape", "e"})
TESTS = frozenset({"defined", "undefined", "none"})
MAX_LENGTH = {"subject": 300, "text": 50_000, "html": 100_000}

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Filter, nodes.Test,
    nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat,
)  # fmt: skip


@dataclass(frozen=True)
class Complaint:
    """What is wrong with a template: the field, its line (from 1) and a sentence."""

    field: str
    line: int
    message: str


def environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    """A sandbox with nothing in it but the allowed filters and tests; HTML is escaped."""
    env = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=html)
    env.globals.clear()
    env.filters = {name: env.filters[name] for name in FILTERS}
    env.tests = {name: env.tests[name] for name in env.tests if name in TESTS or not name.isalpha()}
    return env


_PARSER = environment(html=False)


def complaints(field: str, source: str, kind: Kind) -> list[Complaint]:
    """Everything wrong with one field's template, in the order of its lines; empty when it may be saved."""
    if len(source) > MAX_LENGTH[field]:
        return [Complaint(field, 1, f"longer than {MAX_LENGTH[field]} characters")]
    try:
        tree = _PARSER.parse(source)
    except TemplateSyntaxError as error:
        return [Complaint(field, error.lineno, error.message or "syntax error")]
    except RecursionError:
        return [Complaint(field, 1, "nested too deeply")]
    found = [Complaint(field, line, message) for line, message in _walk(tree, kind)]
    return sorted(found, key=lambda c: c.line)


def _walk(tree: nodes.Template, kind: Kind) -> Iterator[tuple[int, str]]:
    for node in (tree, *tree.find_all(nodes.Node)):
        message = _objection(node, kind)
        if message:
            yield node.lineno or 1, message


def _objection(node: nodes.Node, kind: Kind) -> str | None:
    if not isinstance(node, _ALLOWED):
        return f"{type(node).__name__.lower()} is not available in templates"
    if isinstance(node, nodes.Name) and node.name not in kind.names:
        return f"{node.name} is unknown; known: {', '.join(sorted(kind.names))}"
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"filter {node.name} is not available; available: {', '.join(sorted(FILTERS))}"
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        return f"test {node.name} is not available; available: {', '.join(sorted(TESTS))}"
    return None
