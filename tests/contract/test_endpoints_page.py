"""docs/endpoints.md says what is served."""

from __future__ import annotations

from tests.support.endpoints import PAGE, page


def test_the_page_of_endpoints_is_what_is_served() -> None:
    """An address that is not listed is one that nobody finds; one that is gone, an hour lost."""
    assert PAGE.read_text() == page(), "run `python -m tests.support.endpoints` and commit what it changed"
