"""The supervisor of an embedded run: stores, migrations, two children, one terminal.

    python -P -m landline.chassis.embedded.supervisor '{"data": ..., "port": ...}'      (by `landline run`)

Standard library only: it lives as long as the run does and should cost next to nothing.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from landline.chassis.embedded import banner, demo
from landline.chassis.embedded.children import Child
from landline.chassis.embedded.console import say
from landline.chassis.embedded.environment import Addresses, child_environment
from landline.chassis.embedded.errors import CannotStart, Interrupted
from landline.chassis.embedded.folder import Config, DataFolder
from landline.chassis.embedded.logs import rotate
from landline.chassis.embedded.prepared import Prepared
from landline.chassis.embedded.process import last_lines
from landline.chassis.embedded.public_port import listen, ready
from landline.chassis.embedded.running_stores import RunningStores, first_config
from landline.chassis.embedded.steps import run_step
from landline.chassis.embedded.watch import StopWatch

GRACE_S = 10.0
READY_WITHIN_S = 90.0
LOOK_EVERY_S = 0.1
LOGS = ("web", "work", "postgres", "valkey", "migrate", "seed")


@dataclass(frozen=True)
class Options:
    """What `landline run` was told."""

    data: str
    port: int = 8080
    host: str = "127.0.0.1"
    demo: bool = True
    verbose: bool = False
    system_stores: bool = False
    stop_with_parent: bool = False


class Run:
    """One embedded run, from lock to last process."""

    def __init__(self, options: Options, watch: StopWatch) -> None:
        self.options = options
        self.watch = watch
        self.children: list[Child] = []
        self.stores: RunningStores | None = None
        self.listener: socket.socket | None = None
        self.mail: socket.socket | None = None

    def start(self) -> None:
        """Everything up and ready, or CannotStart / Interrupted."""
        self.listener = listen(self.options.host, self.options.port)
        folder = DataFolder.open(Path(self.options.data))
        config, first = folder.config(lambda: first_config(self.options.system_stores))
        for name in LOGS:
            rotate(folder.path / "logs" / f"{name}.log")
        (folder.path / "run" / "work.json").unlink(missing_ok=True)
        self.stores = RunningStores(config, folder)
        self.stores.start(self.watch.check)
        addresses = self._addresses()
        env = child_environment(config, addresses, folder.path)
        self._migrate(folder, env)
        self._start_children(folder, env)
        self._wait_ready()
        summary = self._seed(folder, addresses, env)
        banner.show(addresses.public_url, folder.path, summary, admin_password=_to_print(config, first))

    def _addresses(self) -> Addresses:
        assert self.stores is not None
        if not os.environ.get("LANDLINE_SMTP_URL"):
            self.mail = listen("127.0.0.1", 0)
        return Addresses(
            postgres=self.stores.postgres_url,
            redis=self.stores.redis_url,
            host=self.options.host,
            port=self.options.port,
            smtp_port=self.mail.getsockname()[1] if self.mail else None,
        )

    def _migrate(self, folder: DataFolder, env: Mapping[str, str]) -> None:
        assert self.stores is not None
        all_services = not os.environ.get("LANDLINE_SERVICES")
        prepared = Prepared(folder.path) if self.stores.own_postgres and all_services else None
        if prepared and prepared.is_current():
            return
        log = folder.path / "logs" / "migrate.log"
        command = [sys.executable, "-P", "-m", "landline.chassis.embedded.migrate"]
        code = run_step(command, {**env, "LANDLINE_PG_ADMIN_DSN": self.stores.postgres_url}, log, self.watch)
        if code:
            raise CannotStart(
                f"the database could not be prepared; the last lines of {log}:\n{last_lines(log)}", 1
            )
        if prepared:
            prepared.remember()

    def _start_children(self, folder: DataFolder, env: Mapping[str, str]) -> None:
        for name, held in (("web", self.listener), ("work", self.mail)):
            fds = [held.fileno()] if held else []
            own = {**env, "LANDLINE_LISTEN_FD": str(fds[0])} if fds else env
            log = folder.path / "logs" / f"{name}.log"
            module = f"landline.chassis.embedded.{name}"
            child = Child(name, module, log, own, [*fds, folder.lock_fd], self.options.verbose)
            self.children.append(child)
            child.start()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            status, body = ready(self.options.host, self.options.port)
            if status == 200:
                return
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"not ready within {READY_WITHIN_S:.0f} s; still missing: {body or 'web'}", 1
                )
            self.look()
            self.watch.wait(0.1)

    def _seed(self, folder: DataFolder, addresses: Addresses, env: Mapping[str, str]) -> demo.Summary | None:
        if not self.options.demo:
            return None
        log = folder.path / "logs" / "seed.log"
        return demo.seed(
            folder.path, addresses.public_url, lambda c, out: run_step(c, env, log, self.watch, out)
        )

    def look(self) -> None:
        """One round of looking after everything that runs."""
        assert self.stores is not None
        self.stores.look(self.watch.check)
        for child in self.children:
            child.look()

    def stop(self) -> None:
        """Children first, while their stores are still there; then the stores."""
        for held in (self.listener, self.mail):
            if held is not None:
                held.close()
        until = time.monotonic() + GRACE_S
        for child in self.children:
            child.ask_to_stop()
        for child in self.children:
            child.wait(until)
        if self.stores is not None:
            self.stores.stop()


def _to_print(config: Config, first: bool) -> str | None:
    """The generated admin password, on the first start only."""
    return config.admin_password if first and not os.environ.get("LANDLINE_ADMIN_PASSWORD") else None


def supervise(options: Options) -> int:
    """Run until told to stop; the process's exit code."""
    watch = StopWatch(options.stop_with_parent)
    run = Run(options, watch)
    try:
        run.start()
        while True:
            run.look()
            watch.wait(LOOK_EVERY_S)
    except Interrupted:
        say("\nlandline: stopping")
        return 0
    except CannotStart as error:
        say(f"landline: {error}")
        return error.exit_code
    except OSError as error:
        say(f"landline: {error.strerror}: {error.filename or ''}")
        return 1
    finally:
        run.stop()


def main() -> None:
    """The process's entry."""
    sys.exit(supervise(Options(**json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
