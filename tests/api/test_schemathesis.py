"""Schemathesis asks every operation for what its document allows and forbids, on the running stack.

No server error, and no answer that the document does not promise: status, media type, headers, schema. A
failure prints the request as a curl line. Bounded by examples and seeded: the same run every time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.world import Platform

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ALL = "examples,coverage,fuzzing"
FUZZ = "examples,fuzzing"
# Methods that an address does not have, and doubled parameters: the framework's own, tried once elsewhere.
CONFIG = """
[phases.coverage]
unexpected-methods = []
generate-duplicate-query-parameters = false
"""
# provisioning comes last: it also tries passwords, until the address has to wait.
# Its resources are all served by one kit: each field's edge cases are tried on a few of them only.
RUNS = {
    "billing": ("billing", "key", ALL, "2", ()),
    "notifier": ("notifier", "key", ALL, "3", ()),
    "call-control": ("call-control", "key", ALL, "2", ("--exclude-tag", "edge")),
    "edge": ("call-control", "edge", ALL, "3", ("--include-tag", "edge")),
    "provisioning": ("provisioning", "key", FUZZ, "3", ()),
    "edge cases": ("provisioning", "key", "coverage", "1", ("--include-tag-regex", "auth|^clients|^lists")),
}


@pytest.fixture(scope="module")
def tokens(platform: Platform) -> dict[str, str]:
    """A key that may do everything but end sessions and change passwords; an edge's key."""
    key = platform.api.post("/api/provisioning/v1/api-keys", {"name": "schemathesis"})["key"]
    return {"key": key, "edge": platform.edge("schemathesis").key}


@pytest.mark.parametrize("run", RUNS)
def test_no_answer_that_the_document_does_not_promise(
    platform: Platform, tokens: dict[str, str], run: str, tmp_path: Path
) -> None:
    """An integrator's generated client breaks on what is not in the document; a 500 is a bug of ours."""
    service, who, phases, examples, more = RUNS[run]
    url = f"{platform.stack.url}/api/{service}/v1/openapi.json"
    command = [str(Path(sys.executable).parent / "schemathesis"), "--no-color", "run", url]
    command += ["--header", f"Authorization: Bearer {tokens[who]}", "--checks", ",".join(CHECKS)]
    command += ["--phases", phases, "--max-examples", examples, "--seed", "1"]
    command += ["--suppress-health-check", "all", "--continue-on-failure", *more]
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
