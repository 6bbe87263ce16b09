"""What is taken out of a container's request on a machine whose root lacks CAP_SYS_RESOURCE."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from modelyard_cluster import oci_runtime
from modelyard_cluster.cache import REPOSITORY
from modelyard_cluster.engine import _put_before_runc

PROCESS: dict[str, Any] = {
    "args": ["/sbin/init"],
    "capabilities": {
        "bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_SYS_ADMIN"],
        "effective": ["CAP_SYS_RESOURCE"],
    },
    "oomScoreAdj": -999,
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1048576, "soft": 1048576}],
}
GRANTABLE = {
    "args": ["/sbin/init"],
    "capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_ADMIN"], "effective": []},
    "oomScoreAdj": 0,
    "rlimits": [],
}


def test_a_higher_oom_score_is_kept() -> None:
    assert oci_runtime.without_lacking({"oomScoreAdj": 300})["oomScoreAdj"] == 300


@pytest.mark.parametrize("bundle", [["--bundle", "{}"], ["--bundle={}"], ["-b", "{}"]])
def test_create_rewrites_the_bundle_and_becomes_runc(tmp_path: Path, bundle: list[str]) -> None:
    configuration = tmp_path / "config.json"
    configuration.write_text(json.dumps({"ociVersion": "1.0.2", "process": PROCESS}))
    words = [word.format(tmp_path) for word in bundle]

    assert run("create", *words, "name") == ["create", *words, "name"]
    assert json.loads(configuration.read_text()) == {"ociVersion": "1.0.2", "process": GRANTABLE}


def test_exec_rewrites_the_process_file(tmp_path: Path) -> None:
    process = tmp_path / "process.json"
    process.write_text(json.dumps(PROCESS))

    run("--root", "/run/x", "exec", "--process", str(process), "name")

    assert json.loads(process.read_text()) == GRANTABLE


def test_other_commands_go_through() -> None:
    assert run("state", "name") == ["state", "name"]


def run(*words: str) -> list[str]:
    """Start the wrapper as dockerd does, `echo` in place of runc; return what runc would have got."""
    command = [sys.executable, "-I", "-S", oci_runtime.__file__, "/bin/echo", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_it_outlives_the_checkout_that_the_engine_was_started_from(tmp_path: Path) -> None:
    """Nothing could be run in a container any more once that was deleted, and its virtual environment with it."""
    _put_before_runc(tmp_path, "/bin/echo")
    assert str(REPOSITORY) not in (tmp_path / "runc").read_text()
    assert subprocess.check_output([tmp_path / "runc", "ps", "one"], text=True) == "ps one\n"
