"""`make client`: models and collections of the Python client, from the services' own OpenAPI documents."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from landline.chassis.embedded.services import load_services
from landline.chassis.settings import Settings

TARGET = Path(__file__).parent / "src" / "landline_client"
HEAD = '"""Generated from OpenAPI by `make client`: do not edit."""\n\n'
Json = dict[str, Any]


def documents() -> dict[str, Json]:
    """The documents as they are served, by service."""
    settings = Settings(_env_file=None)
    return {each.name: each.app(settings).openapi() for each in load_services()}


def generate(target: Path = TARGET) -> None:
    """Write `models/<service>.py` and `services.py`."""
    found = documents()
    (target / "models").mkdir(parents=True, exist_ok=True)
    (target / "models" / "__init__.py").write_text('"""Rows and bodies of the four services."""\n')
    for service, document in found.items():
        _models(document, target / "models" / f"{service.replace('-', '_')}.py")
    (target / "services.py").write_text(_services(found))
    files = [str(target / "models"), str(target / "services.py")]
    style = ["--isolated", "--quiet", "--line-length", "110", "--target-version", "py311"]
    for command in (["check", "--fix-only", "--select", "I,F401", *style], ["format", *style]):
        subprocess.run([sys.executable, "-m", "ruff", *command, *files], check=True)


def _models(document: Json, file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "openapi.json", Path(folder) / "models.py"
        source.write_text(json.dumps(_plain(document)))
        command = [sys.executable, "-m", "datamodel_code_generator", "--input", str(source)]
        command += ["--input-file-type", "openapi", "--output", str(made), "--disable-timestamp"]
        command += ["--output-model-type", "typing.TypedDict", "--target-python-version", "3.11"]
        command += ["--use-schema-description", "--enum-field-as-literal", "all"]
        command += ["--use-standard-collections", "--use-union-operator", "--disable-future-imports"]
        subprocess.run(command, check=True, capture_output=True)
        text = made.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#   ")]
    file.write_text(HEAD + "\n".join(lines).strip() + "\n")


def _plain(document: Json) -> Json:
    """Only what rows and bodies are made of; formats are text on the wire, and stay text here."""

    def text(part: Any) -> Any:
        if isinstance(part, dict):
            closed = part.get("additionalProperties") is False
            left_out = ("format", "pattern", *(("additionalProperties",) if closed else ()))
            return {key: text(value) for key, value in part.items() if key not in left_out}
        return [text(each) for each in part] if isinstance(part, list) else part

    schemas = text(document["components"]["schemas"])
    return {"openapi": "3.1.0", "info": document["info"], "paths": {}, "components": {"schemas": schemas}}


def _services(found: dict[str, Json]) -> str:
    modules = sorted(name.replace("-", "_") for name in found)
    text = HEAD + "from __future__ import annotations\n\nfrom typing import Any\n\n"
    text += f"from landline_client.models import {', '.join(modules)}\n"
    text += "from landline_client.resource import Resource, Transport\n"
    return text + "".join(_service(name, document) for name, document in sorted(found.items()))


def _service(service: str, document: Json) -> str:
    module, base = service.replace("-", "_"), f"/api/{service}/v1/"
    title = "".join(word.capitalize() for word in service.split("-"))
    lines = [f'\n\nclass {title}:\n    """The collections of {service}."""\n']
    lines.append("    def __init__(self, transport: Transport) -> None:")
    for path, item in document["paths"].items():
        name = path.removeprefix(base)
        if "/" in name or not _is_list(item):
            continue
        one = document["paths"].get(f"{path}/{{id}}", {})
        kinds = [_row(item["get"], document), _body(item.get("post")), _body(one.get("patch"))]
        typed = ", ".join(f"{module}.{kind}" if kind else "Any" for kind in kinds)
        field = name.replace("-", "_")
        lines.append(f"        self.{field}: Resource[{typed}] = Resource(transport, {path!r})")
    return "\n".join(lines) + "\n"


def _is_list(item: Json) -> bool:
    names = {parameter["name"] for parameter in item.get("get", {}).get("parameters", [])}
    return {"limit", "cursor", "sort"} <= names


def _row(operation: Json, document: Json) -> str | None:
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    page = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    ref = page.get("properties", {}).get("items", {}).get("items", {}).get("$ref", "")
    return ref.rpartition("/")[2] or None


def _body(operation: Json | None) -> str | None:
    if operation is None or "edge" in operation.get("tags", []):
        return None
    content = operation.get("requestBody", {}).get("content", {})
    ref = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return ref.rpartition("/")[2] or None


if __name__ == "__main__":
    generate()
