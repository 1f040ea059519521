"""A real CGRateS for `PEER_RPC`: built from its published source, over the same stores as ours.

Redis protocol by the embedded Valkey with every write on disk, CDRs in the embedded PostgreSQL; one deck of
two destinations (`plan/`, the price of our world's calls) and 10,000 prepaid accounts. Needs Go. Runs in the
foreground and ends with everything it started; the build is kept in build/cgrates. VERSION (default v0.10.4,
the newest that Go's module proxy gave when this was written) picks another release.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from landline.chassis.embedded.postgres import Postgres
from landline.chassis.embedded.valkey import Valkey

from tests.bench.admission import ROOT

MODULE = "github.com/cgrates/cgrates"
FOLDER = ROOT / "build" / "cgrates"
PLAN = Path(__file__).parent / "plan"
PROGRAMS = ("cgr-engine", "cgr-loader", "cgr-migrator")
PORT = 2080
ACCOUNTS = 10_000
READY_WITHIN_S = 60.0


def built(version: str) -> Path:
    """The folder of the source, with the programs in it."""
    folder = FOLDER / version
    if not (folder / PROGRAMS[-1]).exists():
        asked = ["go", "mod", "download", "-json", f"{MODULE}@{version}"]
        told = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
        shutil.copytree(told["Dir"], folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
        for program in PROGRAMS:
            subprocess.run(["go", "build", "-o", program, f"./cmd/{program}"], cwd=folder, check=True)
    return folder


def configuration(valkey: Valkey, postgres: Postgres) -> dict[str, Any]:
    """Sessions, charging and CDRs in one process; nothing that a call here does not need."""
    return {
        "general": {"node_id": "peer", "log_level": 3, "reply_timeout": "10s"},
        "listen": {"rpc_json": "127.0.0.1:2012", "rpc_gob": "127.0.0.1:2013", "http": f"127.0.0.1:{PORT}"},
        "data_db": {
            "db_type": "redis", "db_host": "127.0.0.1", "db_port": valkey.port, "db_name": "10",
            "db_password": valkey.password,
        },
        "stor_db": {
            "db_type": "*postgres", "db_host": "127.0.0.1", "db_port": postgres.port, "db_name": "postgres",
            "db_user": "landline_admin", "db_password": postgres.password,
        },
        "rals": {"enabled": True, "max_increments": 3_000_000},
        "schedulers": {"enabled": True},
        "cdrs": {"enabled": True, "chargers_conns": ["*internal"], "rals_conns": ["*internal"]},
        "chargers": {"enabled": True},
        "sessions": {
            "enabled": True, "rals_conns": ["*internal"], "cdrs_conns": ["*internal"],
            "chargers_conns": ["*internal"], "debit_interval": "0s",
        },
        "apiers": {"enabled": True, "scheduler_conns": ["*internal"]},
    }  # fmt: skip


async def tables(postgres: Postgres, source: Path) -> None:
    """CGRateS' own schema."""
    connection = await asyncpg.connect(postgres.url())
    for name in ("create_cdrs_tables.sql", "create_tariffplan_tables.sql"):
        await connection.execute((source / "data/storage/postgres" / name).read_text())
    await connection.close()


def asked(method: str, **params: Any) -> Any:
    """One JSON-RPC. OSError while the engine starts; RuntimeError with what it refuses."""
    engine = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
    body = json.dumps({"method": method, "params": [params], "id": 1})
    engine.request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
    answer = json.loads(engine.getresponse().read())
    if answer["error"]:
        raise RuntimeError(f"{method}: {answer['error']}")
    return answer["result"]


def wait_ready() -> None:
    """Until it answers."""
    until = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            asked("CoreSv1.Ping")
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


@contextmanager
def running(version: str) -> Iterator[subprocess.Popen[bytes]]:
    """The engine with its plan and accounts."""
    source, data = built(version), FOLDER / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    valkey = Valkey(data / "valkey", secrets.token_hex(16), data / "valkey.log")
    postgres = Postgres(data / "pg", secrets.token_hex(16), data / "postgres.log")
    with ExitStack() as stack:
        for server in (valkey, postgres):
            server.start()
            stack.callback(server.stop)
        asyncio.run(tables(postgres, source))
        (data / "cgrates.json").write_text(json.dumps(configuration(valkey, postgres)))
        migrator = [str(source / "cgr-migrator"), f"-config_path={data}", "-exec=*set_versions"]
        subprocess.run(migrator, check=True, capture_output=True)
        with (data / "engine.log").open("wb") as log:
            command = [str(source / "cgr-engine"), f"-config_path={data}", "-logger=*stdout"]
            engine = subprocess.Popen(command, stdout=log, stderr=log)
        stack.callback(engine.wait)
        stack.callback(engine.terminate)
        wait_ready()
        loader = [str(source / "cgr-loader"), f"-config_path={data}", f"-path={PLAN}"]
        subprocess.run(loader, check=True, capture_output=True)
        for n in range(ACCOUNTS):
            money = {"ID": "money", "Value": 100_000}
            account = {"Tenant": "cgrates.org", "Account": f"10{n:04d}"}
            asked("ApierV2.SetBalance", **account, BalanceType="*monetary", Balance=money)
        yield engine


def main() -> None:
    """Start, say so, wait to be stopped."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    with running(os.environ.get("VERSION", "v0.10.4")) as engine:
        print(f"ready: PEER_RPC=http://127.0.0.1:{PORT}/jsonrpc make bench", flush=True)
        engine.wait()


if __name__ == "__main__":
    main()
