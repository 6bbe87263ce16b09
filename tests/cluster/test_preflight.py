"""A machine that lacks something is told so in one sentence, before anything starts."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from modelyard_cluster import preflight
from modelyard_cluster.cache import REPOSITORY

PROGRAMS = ("kind",)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that has everything: root, apt-get, 100 GB of disk, and nothing to build."""
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(preflight, "running", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100e9))
    monkeypatch.setattr(preflight, "out_of_date", lambda _: [])


def test_a_machine_that_has_everything_passes() -> None:
    preflight.check(PROGRAMS)


def test_root_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert (
        sentence(capsys)
        == "modelyard: Root is needed, to start containers and their network: run this again with sudo."
    )


def test_a_new_python_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert sentence(capsys) == "modelyard: Python 3.11 or newer is needed; this is 3.9."


def test_disk_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3e9))
    assert sentence(capsys) == (
        f"modelyard: {preflight.DISK_GB_WARM} GB of disk are needed below {tmp_path}, and 3 GB are free: "
        "make room, or name another folder in MODELYARD_CACHE."
    )


def test_the_readme_asks_for_as_much_disk_as_the_check() -> None:
    assert re.findall(r"(\d+) GB of free disk", (REPOSITORY / "README.md").read_text()) == [str(preflight.DISK_GB_COLD)]


def test_go_is_asked_for_only_when_a_program_is_to_be_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    preflight.check(PROGRAMS)
    monkeypatch.setattr(preflight, "out_of_date", lambda _: ["kind"])
    assert sentence(capsys) == (
        "modelyard: Go 1.26 or newer is needed to build the cluster's programs; there is no `go` on PATH."
    )


def test_an_engine_or_debian_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert sentence(capsys) == (
        "modelyard: Neither does a Docker engine answer, nor is this a Debian whose packages could make one."
    )


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """What the check says; it must say just that, and end."""
    with pytest.raises(SystemExit) as ended:
        preflight.check(PROGRAMS)
    assert ended.value.code == 1
    return capsys.readouterr().err.rstrip("\n")
