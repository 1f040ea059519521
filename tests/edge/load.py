"""How many calls a second the whole platform takes over real SIP: `python -m tests.edge.load [rates...]`.

SIPp calls through Kamailio and rtpengine to SIPp; each call has digest, admission, answer, two seconds, end,
record and posting. Everything runs on this machine, the callers included. Prints a line per rate and writes
`build/edge.json`; ends with the books being checked.
"""

from __future__ import annotations

import csv
import json
import os
import platform as machine
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.edge.processes import Edge, program
from tests.support.books import assert_books_hold
from tests.support.stack import Stack, running_stack
from tests.support.world import CALL_CONTROL, PROVISIONING, Brand, Platform, until

SCENARIOS = Path(__file__).parent / "sipp"
RATES = (25, 50, 75, 100, 125, 150, 200)
SECONDS = 12
HOMES = 20
GOOD = 0.995
Row = dict[str, Any]


def main() -> None:
    """Rates upwards until calls fail."""
    rates = [int(word) for word in sys.argv[1:]] or list(RATES)
    net = f"127.{random.randrange(2, 250)}.{random.randrange(1, 250)}"
    with tempfile.TemporaryDirectory() as name, running_stack(Path(name) / "data") as stack:
        platform, folder = Platform(stack), Path(name) / "edge"
        folder.mkdir()
        made = platform.api.post(f"{PROVISIONING}/edges", {"name": "edge-load"})
        env = {"LANDLINE_EDGE_FLOOD_PER_2S": "1000000", "LANDLINE_EDGE_REFRESH_S": "60"}
        env |= {"LANDLINE_HEARTBEAT_S": "10", "LANDLINE_EDGE_FIRST_REPLY_MS": "4000"}
        edge = Edge(folder, f"{net}.10", "edge-load", str(made["key"]), stack.url, env).start()
        try:
            lines = _run(platform, edge, net, folder, rates)
        finally:
            edge.stop()
        _settle(platform)
        assert_books_hold(stack, 300)
    Path("build").mkdir(exist_ok=True)
    told = {"machine": {"cores": os.cpu_count(), "kernel": machine.release()}, "calls": lines}
    Path("build/edge.json").write_text(json.dumps(told, indent=2) + "\n")
    best = max((line["rate"] for line in lines if line["good"]), default=0)
    print(f"sustained: {best} calls/s, everything on {os.cpu_count()} cores; every record and posting agrees")


def _run(platform: Platform, edge: Edge, net: str, folder: Path, rates: list[int]) -> list[Row]:
    brand = platform.brand("Load", features=["billing"])
    _lead_out(brand, f"{net}.30")
    accounts = _accounts(brand, folder)
    carrier = _sipp(folder, "carrier", f"{net}.30", "-p", "5060")
    lines = []
    print(
        "  calls/s        ok   repeated    mean ms   CPU %: kamailio rtpengine web work postgres valkey sipp"
    )
    try:
        for rate in rates:
            line = _step(platform.stack, edge, folder, accounts, f"{net}.20", rate)
            lines.append(line)
            cpu = line["cpu"]
            parts = [
                cpu[part] for part in ("kamailio", "rtpengine", "web", "work", "postgres", "valkey", "sipp")
            ]
            shown = " ".join(f"{part:8.0f}" for part in parts)
            counted = f"{line['ok']}/{line['calls']}"
            print(
                f"  {rate:7d} {counted:>12} {line['repeated']:8d} {line['mean_ms']:10.0f}   {shown}",
                flush=True,
            )
            if not line["good"]:
                break
    finally:
        carrier.terminate()
        carrier.wait()
    return lines


def _lead_out(brand: Brand, host: str) -> None:
    servers = list(brand.api.items(f"{PROVISIONING}/carrier-servers", carrier_id=brand.ids["carriers"]))
    for port, server in enumerate(servers, 5060):
        brand.api.patch(f"{PROVISIONING}/carrier-servers/{server['id']}", {"host": host, "port": port})


def _accounts(brand: Brand, folder: Path) -> Path:
    """Homes with passwords, as SIPp's injection file; known to call-control."""
    lines = ["RANDOM"]
    for _ in range(HOMES):
        home = brand.home()
        path = f"{PROVISIONING}/devices/{home.device_id}"
        password = brand.api.patch(path, {"reset_credentials": True})["password"]
        lines.append(
            f"{home.device};[authentication username={home.device} password={password}];{brand.domain}"
        )
    time.sleep(2)
    accounts = folder / "accounts.csv"
    accounts.write_text("\n".join(lines) + "\n")
    return accounts


def _sipp(folder: Path, scenario: str, ip: str, *more: str) -> subprocess.Popen[bytes]:
    words = [
        program("sipp"),
        "-sf",
        str(SCENARIOS / f"{scenario}.xml"),
        "-i",
        ip,
        "-mi",
        ip,
        "-nostdin",
        *more,
    ]
    out = (folder / f"sipp-{scenario}.log").open("ab")
    return subprocess.Popen(words, cwd=folder, stdout=out, stderr=out)


def _step(stack: Stack, edge: Edge, folder: Path, accounts: Path, ip: str, rate: int) -> Row:
    calls, stats = rate * SECONDS, folder / f"calls-{rate}.csv"
    before, began = _cpu(stack, edge), time.monotonic()
    words = [f"{edge.ip}:5060", "-r", str(rate), "-m", str(calls), "-l", "5000", "-inf", str(accounts)]
    words += ["-s", "0034600123123", "-recv_timeout", "10000"]
    words += ["-trace_stat", "-stf", str(stats), "-fd", "1"]
    caller = _sipp(folder, "caller", ip, *words)
    family = psutil.Process(caller.pid)
    used = 0.0
    while caller.poll() is None:
        try:
            used = sum(family.cpu_times()[:2])
        except psutil.Error:
            break
        time.sleep(0.1)
    caller.wait()
    took = time.monotonic() - began
    cpu = {part: 100 * (after - before[part]) / took for part, after in _cpu(stack, edge).items()}
    with stats.open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    ok, repeated = int(last["SuccessfulCall(C)"]), int(last["Retransmissions(C)"])
    time.sleep(3)
    return {
        "rate": rate,
        "calls": calls,
        "ok": ok,
        "repeated": repeated,
        "mean_ms": _ms(last["ResponseTime1(C)"]),
        "cpu": {**cpu, "sipp": 100 * used / took},
        "good": ok >= GOOD * calls and took < SECONDS + 8,
    }


def _ms(text: str) -> float:
    """`00:00:00:012345` (hours, minutes, seconds, microseconds) in milliseconds."""
    hours, minutes, seconds, micros = (int(part) for part in text.split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + micros / 1000


def _cpu(stack: Stack, edge: Edge) -> dict[str, float]:
    found = edge.cpu_s()
    for role, process in stack.processes().items():
        if role != "supervisor":
            family = [process, *process.children(recursive=True)] if role == "postgres" else [process]
            found[role] = sum(sum(each.cpu_times()[:2]) for each in family)
    return found


def _settle(platform: Platform) -> None:
    until(lambda: not list(platform.api.items(f"{CALL_CONTROL}/calls")), "no live calls", 240)


if __name__ == "__main__":
    main()
