"""docs/endpoints.md: every address of the four services, from their OpenAPI documents.

`python -m tests.support.endpoints` writes it; `tests/contract/test_endpoints_page.py` fails when it is stale.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from landline.chassis.embedded.services import load_services
from landline.chassis.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "endpoints.md"
METHODS = ("get", "post", "put", "patch", "delete")
HEAD = """# Endpoints

Every address, by service. Generated (`python -m tests.support.endpoints`) from the OpenAPI documents, which
have bodies, fields, examples and errors: `/api/<service>/v1/docs`. Beside them each service has `/healthz`,
`/readyz` and `/metrics`; an embedded run also `/dev/mails` and, with `LANDLINE_TEST_CLOCK=1`, `/dev/clock`.
"""


def page() -> str:
    """The page's text."""
    settings = Settings(_env_file=None)
    documents = {each.name: each.app(settings).openapi() for each in load_services()}
    return HEAD + "".join(_service(name, documents[name]) for name in sorted(documents))


def _service(name: str, document: dict[str, Any]) -> str:
    base, groups = f"/api/{name}/v1/", defaultdict[str, list[str]](list)
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                tag = operation.get("tags", ["other"])[0]
                line = f"| {method.upper()} | `{path.removeprefix(base)}` | {operation['summary']} |\n"
                groups[tag].append(line)
    count = sum(map(len, groups.values()))
    text = f"\n## {name}: {count}\n\nUnder `{base.rstrip('/')}`.\n\n| | | |\n|---|---|---|\n"
    return text + "".join(line for tag in sorted(groups) for line in groups[tag])


if __name__ == "__main__":
    PAGE.write_text(page())
