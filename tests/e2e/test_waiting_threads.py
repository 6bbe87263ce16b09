"""How torch's threads wait for each other in the image."""

from __future__ import annotations

import pytest

from tests.e2e.yard import Yard

pytestmark = pytest.mark.training

_PROGRAM = "OMP_DISPLAY_ENV=verbose python -c 'import torch' 2>&1"


def test_threads_spin_for_a_moment_and_then_sleep_as_openmp_itself_says(yard: Yard, trainer_image: str) -> None:
    said = yard.cluster.engine.docker("run", "--rm", "--network=none", "--entrypoint=sh", trainer_image, "-c", _PROGRAM)
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said
    assert "GOMP_SPINCOUNT = '2000'" in said
