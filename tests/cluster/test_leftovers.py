"""Taking away what an engine left behind touches nothing of anyone else's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from modelyard_cluster import leftovers
from modelyard_cluster.cache import state_folder

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Folders and cgroups of the test's own, so that no engine of this machine can be hit."""
    monkeypatch.setenv("MODELYARD_STATE", str(tmp_path / "state"))
    state_folder()
    monkeypatch.setattr(leftovers, "_CGROUPS", tmp_path / "no-cgroups")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `tail --follow FILE` under the name of another program."""
    started: list[subprocess.Popen[bytes]] = []

    def start_(name: str, file: Path) -> subprocess.Popen[bytes]:
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        shutil.copy2(Path(shutil.which("tail") or "tail").resolve(), program)
        started.append(subprocess.Popen([program, "--follow", file], stdout=subprocess.DEVNULL))
        return started[-1]

    yield start_
    for process in started:
        process.kill()
        process.wait()


def test_a_daemon_below_our_folder_is_killed_and_a_pager_on_its_log_is_not(start: Start, tmp_path: Path) -> None:
    ours = tmp_path / "state" / "engine"
    daemon = start("dockerd", ours / "dockerd.log")
    pager = start("less", ours / "dockerd.log")
    elsewhere = start("containerd", tmp_path / "backup" / str(ours).lstrip("/") / "containerd.toml")
    assert leftovers._daemons_below([ours]) == {daemon.pid}
    leftovers.end_processes([ours])
    assert daemon.wait(5) == -9
    assert pager.poll() is None
    assert elsewhere.poll() is None
