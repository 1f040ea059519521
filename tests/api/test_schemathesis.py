"""Schemathesis asks every operation for what its document allows and forbids, on the running stack.

No server error, and no answer that the document does not promise: status, media type, headers, schema. A
failure prints the request as a curl line. Bounded by examples and seeded: the same run every time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.world import Platform

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
PHASES = "examples,coverage,fuzzing"
# Methods that an address does not have, and doubled parameters: the framework's own, tried once elsewhere.
CONFIG = """
[phases.coverage]
unexpected-methods = []
generate-duplicate-query-parameters = false
"""
# auth comes last: it tries passwords, until the address has to wait.
RUNS = {
    "billing": ("billing", "key", "5", ()),
    "notifier": ("notifier", "key", "8", ()),
    "call-control": ("call-control", "key", "5", ("--exclude-tag", "edge")),
    "edge": ("call-control", "edge", "10", ("--include-tag", "edge")),
    "provisioning": ("provisioning", "key", "4", ("--exclude-tag", "auth")),
    "auth": ("provisioning", "key", "10", ("--include-tag", "auth")),
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
    service, who, examples, more = RUNS[run]
    url = f"{platform.stack.url}/api/{service}/v1/openapi.json"
    assert (
        httpx.get(url, timeout=120).status_code == 200
    )  # made when it is first asked for, by another process
    command = [str(Path(sys.executable).parent / "schemathesis"), "--no-color", "run", url]
    command += ["--header", f"Authorization: Bearer {tokens[who]}", "--checks", ",".join(CHECKS)]
    command += ["--phases", PHASES, "--max-examples", examples, "--seed", "1"]
    command += ["--suppress-health-check", "all", "--continue-on-failure", *more]
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    _, _, failures = done.stdout.partition("= FAILURES =")
    told = failures.partition("= WARNINGS =")[0] or done.stdout[-6000:]
    assert done.returncode == 0, told[:20_000] + done.stderr[-1000:]
