"""The bench's figures as people read them: a table of runs, then each target beside what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

TARGET = Path(__file__).parents[2] / "build" / "bench.json"

COLUMNS = (
    "run",
    "per s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "max ms",
    "generator",
    "CPU us a request, by process",
)


def keep(figures: dict[str, Any], *, beside: bool = True) -> str:
    """Write figures into build/bench.json, beside those of other benches, or alone; says so."""
    TARGET.parent.mkdir(exist_ok=True)
    known = json.loads(TARGET.read_text()) if beside and TARGET.exists() else {}
    TARGET.write_text(json.dumps({**known, **figures}, indent=1))
    return f"{'added' if beside else 'written'} to {TARGET.relative_to(TARGET.parents[1])}"


def show(figures: dict[str, Any], console: Console) -> None:
    """Print everything."""
    table = Table(title=f"admission on {figures['machine']}")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == COLUMNS[0] else "right")
    for name, run in figures["runs"].items():
        cpu = " ".join(f"{role} {us:.0f}" for role, us in run["cpu_us"].items() if us >= 1)
        cells = [run[key] for key in ("per_s", "p50_ms", "p95_ms", "p99_ms", "max_ms", "generator_cpu")]
        table.add_row(name, *(str(cell) for cell in cells), cpu)
    console.print(table)
    for line in targets(figures):
        console.print(line)


def targets(figures: dict[str, Any]) -> list[str]:
    """A line for each target whose phase was run."""
    lines = []
    if "admission" in figures:
        lines += _admission(figures["admission"])
    if "script" in figures:
        lines.append(f"the script alone: {figures['script']}")
    if "workers" in figures:
        lines.append(f"two workers: {figures['workers']['gain']} x one (target 1.8): {figures['workers']}")
        limited = figures["limited_workers"]
        lines.append(f"the same with a part of a core each: {limited.get('gain')} x one: {limited}")
    if "whole_calls" in figures:
        lines.append(f"whole calls, records committed: {figures['whole_calls']} (target 400/s)")
    if "deck_change" in figures:
        lines.append(f"a deck change: {figures['deck_change']} (targets: 2 s, peak 50 ms)")
    if "decks" in figures:
        lines.append(f"decks: {figures['decks']} (target: under 10 us a look-up)")
    if figures.get("peer"):
        lines += [f"peer {name}: {run}" for name, run in figures["peer"].items()]
    lines.append(f"memory MB {figures['memory']} (target: private memory of web under 200)")
    lines.append(f"idle {figures['idle']} (targets: CPU under 0.05 of a core, 500 MB)")
    return lines


def _admission(found: dict[str, Any]) -> list[str]:
    lines = [
        f"ratio to the no-op {found['ratio_to_noop']} by calls/s, "
        f"{found['worker_cpu_ratio_to_noop']} by the worker's CPU (target 0.5, later 0.7)",
        f"ratio to the no-op as a route {found['ratio_to_routed_noop']} by calls/s, "
        f"{found['worker_cpu_ratio_to_routed_noop']} by the worker's CPU",
        f"Redis round trips an admission, warm: {found['redis_round_trips']} (target 1)",
        f"median with 1 in flight {found['p50_ms']} ms (target 1)",
    ]
    if "p99_ms_half_load" in found:
        lines.append(f"p99 at half load {found['p99_ms_half_load']} ms (target 10)")
    return lines
