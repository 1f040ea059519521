"""A part of one core for a process, by Linux control groups: more workers on a small machine.

Two workers, their generator, Valkey and Postgres fill two cores before the second worker shows. With a part
of a core for each, the rest of the machine has room beside them, and the gain of the second worker tells what
workers share.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 10_000
"""Short, so that a process that has used its part waits for milliseconds only."""


@contextmanager
def limited(pid: int, cores: float) -> Iterator[bool]:
    """All threads of `pid` together get `cores`; False where control groups can't be written (no root)."""
    quota_us = round(cores * _PERIOD_US)
    if (_ROOT / "cgroup.controllers").exists():
        group, settings = _ROOT / f"landline-bench-{pid}", {"cpu.max": f"{quota_us} {_PERIOD_US}"}
    else:
        group = _ROOT / "cpu" / f"landline-bench-{pid}"
        settings = {"cpu.cfs_period_us": f"{_PERIOD_US}", "cpu.cfs_quota_us": f"{quota_us}"}
    try:
        group.mkdir()
        for name, value in settings.items():
            (group / name).write_text(value)
        (group / "cgroup.procs").write_text(str(pid))
    except OSError:
        _removed(group)
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):  # it has ended
            (group.parent / "cgroup.procs").write_text(str(pid))
        _removed(group)


def _removed(group: Path) -> None:
    with suppress(OSError):
        os.rmdir(group)
