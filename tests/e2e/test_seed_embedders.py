"""The chimpanzees' and WatchMe's own configurations at test size, side by side on the cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from examples.animals import make_identities, make_sightings
from examples.folders import write_checksums
from tests.e2e.training_runs import EXAMPLES, example
from tests.e2e.yard import Yard

pytestmark = pytest.mark.training

EPOCHS = 2
METRICS = {
    "chimp-min10": {"top1", "top5"},
    "chimp-min10-resnet50-arc": {"top1", "top5"},
    "watchme-osnet": {"rank1", "rank5", "rank10", "rank20", "mAP"},
    "watchme-osnet-advanced": {
        f"{target}/{metric}"
        for target in ("market1501", "dukemtmcreid")
        for metric in ("rank1", "rank5", "rank10", "rank20", "mAP")
    },
}
"""What each must have measured: all that its seed does, of each target where there are several."""


def test_the_embedders_of_the_seeds_are_trained(yard: Yard, trainer_image: str, tmp_path: Path) -> None:
    """Applied as they are but for fewer epochs; the last of them on two data sets at once."""
    animals, sightings, both = tmp_path / "animals", tmp_path / "sightings", tmp_path / "both"
    make_identities.make(animals, identities=40, pictures=12, size=32)
    make_sightings.make(sightings, individuals=20)
    make_sightings.make(both / "market1501", individuals=20)
    make_sightings.make(both / "dukemtmcreid", individuals=20, skip=20, duke=True)
    write_checksums(both)
    stories = {
        name: example(f"{name}-here", EXAMPLES / f"{name}-small.yaml")
        .for_epochs(EPOCHS)
        .having(trainer_image, "resources", "image")
        for name in METRICS
    }
    for folder, name in {animals: "chimp-min10", sightings: "watchme-osnet", both: "watchme-osnet-advanced"}.items():
        yard.store.upload(folder, stories[name].body["spec"]["dataset"]["s3"]["uri"])

    for run, (name, wanted) in zip(yard.start(*stories.values()), METRICS.items(), strict=True):
        status = run.wait("Complete", 900)
        assert status["progress"]["epoch"] == EPOCHS
        assert wanted <= {each["name"] for each in status["metrics"]}, name
        folder = tmp_path / name
        yard.store.download(status["artifactsUri"], folder)
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
        assert {"best.pt", "last.pt", "best.onnx"} <= {path.name for path in folder.iterdir()}
