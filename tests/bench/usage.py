"""What processes use: CPU as a share of one core, memory in MB."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psutil


@dataclass(frozen=True)
class Usage:
    """CPU seconds and memory by role, Postgres with all its backends."""

    cpu_s: dict[str, float]
    private_mb: dict[str, float]
    rss_mb: dict[str, float]

    @classmethod
    def read(cls, processes: Mapping[str, psutil.Process]) -> Usage:
        """Now."""
        cpu_s: dict[str, float] = {}
        private_mb: dict[str, float] = {}
        rss_mb: dict[str, float] = {}
        for role, process in processes.items():
            family = [process, *(process.children(recursive=True) if role == "postgres" else [])]
            cpu_s[role], private_mb[role], rss_mb[role] = 0.0, 0.0, 0.0
            for member in family:
                try:
                    times, memory = member.cpu_times(), member.memory_full_info()
                except psutil.Error:
                    continue
                cpu_s[role] += times.user + times.system
                private_mb[role] += memory.uss / 2**20
                rss_mb[role] += memory.pss / 2**20  # a page shared by n processes counts 1/n for each
        return cls(cpu_s, private_mb, rss_mb)

    def memory_mb(self) -> dict[str, Any]:
        """Private memory by role, and the proportional sum of all."""
        by_role = {role: round(mb, 1) for role, mb in self.private_mb.items()}
        return {"private": by_role, "all_pss": round(sum(self.rss_mb.values()), 1)}


def cpu_shares(before: Usage, after: Usage, seconds: float) -> dict[str, float]:
    """Cores used by role between two readings."""
    return {
        role: round((after.cpu_s[role] - before.cpu_s.get(role, 0.0)) / seconds, 2)
        for role in after.cpu_s
        if role in before.cpu_s
    }


def idle_figures(processes: Mapping[str, psutil.Process], seconds: float) -> dict[str, Any]:
    """CPU of all processes together while nothing is asked, as a share of one core, and memory in MB."""
    before = Usage.read(processes)
    time.sleep(seconds)
    after = Usage.read(processes)
    spent = sum(after.cpu_s.values()) - sum(before.cpu_s.values())
    return {"cpu_of_one_core": round(spent / seconds, 4), "memory_mb": after.memory_mb()["all_pss"]}
