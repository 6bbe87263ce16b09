"""How torch's threads wait for each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PREPARED = """
import sys
from pathlib import Path
from modelyard_trainer.tasks.offline import prepare
prepare(Path(sys.argv[1]), threads=2)
"""
_SILENCED = """
import os, sys
from pathlib import Path
from modelyard_trainer.tasks.offline import silence
silence(Path(sys.argv[1]), threads=2)
print(os.environ["OMP_WAIT_POLICY"], os.environ.get("GOMP_SPINCOUNT"))
"""


def ran(program: str, scratch: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """What a process of its own says: OpenMP reads its variables once, when torch is imported."""
    others = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    command = [sys.executable, "-c", program, str(scratch)]
    return subprocess.run(command, env={**others, **given}, capture_output=True, text=True, check=True)


def test_threads_spin_for_a_moment_and_then_sleep_as_openmp_itself_says(tmp_path: Path) -> None:
    said = ran(_PREPARED, tmp_path, OMP_DISPLAY_ENV="verbose").stderr
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said
    assert "GOMP_SPINCOUNT = '2000'" in said


def test_whoever_wants_them_to_spin_has_them_spin(tmp_path: Path) -> None:
    assert ran(_SILENCED, tmp_path, OMP_WAIT_POLICY="ACTIVE").stdout == "ACTIVE None\n"
