"""The edge's programs on loopback addresses of their own: rtpengine, Kamailio, and the agent beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from tests.support.stack import free_port

KAMAILIO = Path(__file__).parents[2] / "deploy" / "kamailio"
MEDIA_TIMEOUT_S = 8
KEEPALIVE_S = 30  # Kamailio takes no less
INSTALL = "deploy/edge/install (apt-get install kamailio, rtpengine-daemon, sip-tester)"


def program(name: str) -> str:
    """Where it is installed; AssertionError with the install line."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert found, f"{name} is not installed: run {INSTALL}"
    return found


class Edge:
    """One edge. `address` is where phones and carriers find it; everything else is its own business."""

    def __init__(
        self, folder: Path, ip: str, name: str, key: str, url: str, env: dict[str, str] | None = None
    ) -> None:
        self.folder, self.ip, self.name = folder, ip, name
        self.address, self.tls_address = (ip, 5060), (ip, 5061)
        self.recordings = folder / "recordings"
        self._ports = {each: free_port() for each in ("ng", "cli", "kamailio", "agent")}
        self.control_url = f"http://127.0.0.1:{self._ports['agent']}/"
        self.env = {
            "LANDLINE_EDGE_NAME": name,
            "LANDLINE_EDGE_KEY": key,
            "LANDLINE_CALL_CONTROL_URL": url,
            "LANDLINE_EDGE_STATE": str(folder / "state"),
            "LANDLINE_EDGE_LISTEN": f"udp:{ip}:5060,tcp:{ip}:5060",
            "LANDLINE_EDGE_RTPENGINE": f"127.0.0.1:{self._ports['ng']}",
            "LANDLINE_EDGE_KAMAILIO_PORT": str(self._ports["kamailio"]),
            "LANDLINE_EDGE_AGENT": f"127.0.0.1:{self._ports['agent']}",
            "LANDLINE_HEARTBEAT_S": "1",
            "LANDLINE_EDGE_REFRESH_S": "2",
            "LANDLINE_EDGE_FIRST_REPLY_MS": "1000",
            "LANDLINE_EDGE_MEDIA_TIMEOUT_S": str(MEDIA_TIMEOUT_S),
            "LANDLINE_EDGE_KEEPALIVE_S": str(KEEPALIVE_S),
            "LANDLINE_EDGE_KEEPALIVE_MISSES": "1",
            "LANDLINE_EDGE_REGISTER_RETRY_S": "3",
            "PYTHONPATH": str(KAMAILIO),
            **(env or {}),
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> Edge:
        """All three, and ready."""
        self.recordings.mkdir(parents=True, exist_ok=True)
        self.start_rtpengine()
        self.start_kamailio()
        self.start_agent()
        return self

    def start_rtpengine(self) -> None:
        """Media in userspace: no kernel module is asked for."""
        ng, cli = self._ports["ng"], self._ports["cli"]
        words = [program("rtpengine"), "--foreground", "--log-stderr", "--log-level=5", "--table=-1"]
        words += [f"--interface={self.ip}", f"--listen-ng=127.0.0.1:{ng}", f"--listen-cli=127.0.0.1:{cli}"]
        words += [
            "--port-min=30000",
            "--port-max=39998",
            f"--timeout={MEDIA_TIMEOUT_S}",
        ]
        words += ["--silent-timeout=3600", "--delete-delay=1", "--num-threads=2", "--media-num-threads=1"]
        words += [f"--recording-dir={self.recordings}", "--recording-method=pcap", "--recording-format=eth"]
        words += [f"--b2b-url=http://127.0.0.1:{self._ports['agent']}/media-timeout", "--xmlrpc-format=2"]
        words += [f"--pidfile={self.folder / 'rtpengine.pid'}"]
        self._start("rtpengine", words)

    def start_kamailio(self) -> None:
        """Prepared as an operator does it: settings first."""
        env = {**os.environ, **self.env}
        subprocess.run([sys.executable, "-m", "edge_agent", "prepare"], env=env, check=True)
        state = self.folder / "state"
        words = [
            program("kamailio"),
            "-DD",
            "-E",
            "-f",
            str(KAMAILIO / "kamailio.cfg"),
            "-Y",
            str(self.folder),
        ]
        words += ["-P", str(self.folder / "kamailio.pid"), "-m", "256", "-M", "16", "-w", str(state)]
        self._start("kamailio", words, cwd=state)
        self._wait(f"http://127.0.0.1:{self._ports['kamailio']}/", "kamailio")

    def start_agent(self) -> None:
        """Lists, files, commands."""
        self._start("agent", [sys.executable, "-m", "edge_agent", "run"])
        self._wait(f"http://127.0.0.1:{self._ports['agent']}/healthz", "agent")

    def rpc(self, method: str, *params: object) -> object:
        """One of Kamailio's own commands."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        url = f"http://127.0.0.1:{self._ports['kamailio']}/RPC"
        return httpx.post(url, json=body, timeout=5).json().get("result")

    def dialogs(self) -> int:
        """How many dialogs Kamailio has."""
        active = self.rpc("dlg.stats_active")
        assert isinstance(active, dict), active
        return int(active["all"])

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds of each program so far, children included."""
        found = {}
        for name, process in self._running.items():
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            found[name] = sum(sum(each.cpu_times()[:2]) for each in family)
        return found

    def kill(self, name: str) -> None:
        """kill -9, with its children."""
        process = self._running.pop(name)
        parent = psutil.Process(process.pid)
        for each in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()

    def stop(self) -> None:
        """Everything, politely."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for name, process in list(self._running.items()):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill(name)

    def output(self, name: str) -> str:
        """What a program said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _start(self, name: str, words: list[str], cwd: Path | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as out:
            env = {**os.environ, **self.env}
            self._running[name] = subprocess.Popen(
                words, stdout=out, stderr=out, env=env, cwd=cwd or self.folder, start_new_session=True
            )

    def _wait(self, url: str, name: str) -> None:
        deadline = time.monotonic() + 15
        while True:
            assert self._running[name].poll() is None, f"{name} ended:\n{self.output(name)[-3000:]}"
            try:
                httpx.get(url, timeout=1)
                return
            except httpx.TransportError:
                assert time.monotonic() < deadline, f"{name} does not answer:\n{self.output(name)[-3000:]}"
            time.sleep(0.05)
