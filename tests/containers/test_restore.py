"""deploy/backup and deploy/restore, as an operator runs them at night."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.containers.containers import ROOT, Containers
from tests.support.world import MOBILE, Platform, until


def test_last_nights_backup_is_restored_and_the_day_is_read_again(
    containers: Containers, platform: Platform, tmp_path: Path
) -> None:
    """One record and one charge each, and the script ends with both proofs."""
    home = platform.brand("Restored").home(billing_method="prepaid", balance="10.00")
    edge = platform.edge()
    edge.talk(home, MOBILE, 1)
    until(lambda: len(home.records()) == 1, "last night's record")
    home.settled()
    file = _run(containers, "deploy/backup", str(tmp_path)).split()[-1]
    edge.talk(home, MOBILE, 2)
    until(lambda: len(home.records()) == 2, "today's record")
    home.settled()
    said = _run(containers, "deploy/restore", file)
    assert "the ledger holds" in said
    assert "drift: 0" in said
    platform.wait_served()
    assert sorted(posting["amount"] for posting in home.postings(kind="charge")) == ["-0.01", "-0.02"]
    assert home.settled()["settled"] == "9.97"


def test_a_file_that_is_no_backup_changes_nothing(
    containers: Containers, platform: Platform, tmp_path: Path
) -> None:
    """At three in the morning the wrong file is the likeliest mistake."""
    wrong = tmp_path / "wrong.dump"
    wrong.write_text("no backup\n")
    done = subprocess.run(
        [ROOT / "deploy/restore", wrong], env=containers.env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert platform.api.http.get("/api/billing/v1/postings").status_code == 200


def _run(containers: Containers, program: str, *words: str) -> str:
    done = subprocess.run(
        [ROOT / program, *words], env=containers.env, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, f"{program}:\n{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout
