"""The demo brand: seeded once per data folder through the public APIs, remembered in DATA/demo.json."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from landline.chassis.embedded.console import say

Summary = dict[str, Any]
RunStep = Callable[[list[str], Path], int]

# The checkout this package is installed from (editable); an installed wheel has no demo.
SEED_SCRIPT = Path(__file__).parents[5] / "deploy" / "demo" / "seed.py"


def seed(data: Path, public_url: str, run: RunStep) -> Summary | None:
    """The demo's summary; seeds it first if this folder has none. A failing seed is said and survived."""
    remembered = data / "demo.json"
    if (summary := _read(remembered)) is not None:
        return _moved(summary, public_url)
    if not SEED_SCRIPT.exists():
        return None
    output = data / "run" / "seed.json"
    output.unlink(missing_ok=True)
    say("landline: adding the demo brand")
    code = run([sys.executable, "-P", str(SEED_SCRIPT)], output)
    summary = _read(output)
    if code or summary is None:
        log = data / "logs" / "seed.log"
        say(f"landline: the demo brand could not be added (code {code}): see {log}")
        return None
    summary["url"] = public_url
    temporary = remembered.with_suffix(".new")
    temporary.touch(0o600)  # it holds the demo's logins
    temporary.write_text(json.dumps(summary, indent=2))
    temporary.replace(remembered)
    return summary


def _read(path: Path) -> Summary | None:
    """A JSON object: the whole file, or its last line."""
    try:
        text = path.read_text()
    except OSError:
        return None
    for candidate in (text, text.strip().rpartition("\n")[2]):
        try:
            value = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None


def _moved(summary: Summary, public_url: str) -> Summary:
    """The same summary after a start on another port."""
    text = json.dumps(summary)
    moved: Summary = json.loads(text.replace(str(summary.get("url", public_url)), public_url))
    return moved
