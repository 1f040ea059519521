"""From templates and variables to the words of one mail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import Template, TemplateError

from notifier.domain.contents import FIELDS, Chosen
from notifier.domain.kinds import Kind, Variables
from notifier.domain.template_language import Complaint, complaints, environment

MAX_SUBJECT = 255
_TEXT = environment(html=False)
_HTML = environment(html=True)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class DoesNotRender(ValueError):
    """A template fails with these variables; `complaint` names the field and the line."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(f"{complaint.field} line {complaint.line}: {complaint.message}")
        self.complaint = complaint


@dataclass(frozen=True)
class Rendered:
    """The words of one mail; `language` is that of its text."""

    subject: str
    text: str
    html: str
    language: str


def one_line(text: str, limit: int = MAX_SUBJECT) -> str:
    """Fit for a header: control characters, CR and LF become one space (RFC 5322 section 2.2)."""
    return _UNPRINTABLE.sub(" ", text).strip()[:limit].rstrip()


def render(chosen: Mapping[str, Chosen], variables: Variables) -> Rendered:
    """All fields filled in; DoesNotRender when one cannot be."""
    done = {field: _fill(field, chosen[field].template, variables) for field in FIELDS}
    return Rendered(one_line(done["subject"]), done["text"], done["html"], chosen["text"].language)


def validate(field: str, source: str, kind: Kind) -> list[Complaint]:
    """What keeps a template from being saved: its language, then a trial with the kind's samples."""
    found = complaints(field, source, kind)
    if found:
        return found
    try:
        filled = _fill(field, source, kind.sample())
    except DoesNotRender as error:
        return [error.complaint]
    return [] if filled.strip() else [Complaint(field, 1, "renders to nothing")]


def _fill(field: str, source: str, variables: Variables) -> str:
    try:
        return _compiled(field == "html", source).render(variables)
    except (TemplateError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise DoesNotRender(Complaint(field, _line(error), str(error))) from error


@lru_cache(maxsize=512)
def _compiled(html: bool, source: str) -> Template:
    return (_HTML if html else _TEXT).from_string(source)


def _line(error: Exception) -> int:
    """The template's line: Jinja rewrites its frames so that their numbers are those of the source."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return getattr(error, "lineno", None) or line
