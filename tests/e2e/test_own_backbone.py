"""A team's own backbone, from the example's Dockerfile to its published model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from modelyard_cluster import images
from modelyard_cluster.cache import REPOSITORY
from modelyard_cluster.load import load

from examples.digits.make_folders import make
from tests.e2e.training_runs import CLASSIFICATION, example
from tests.e2e.yard import Yard

pytestmark = pytest.mark.training

EXAMPLE = REPOSITORY / "examples" / "own-backbone"
IMAGE = "modelyard-trainer-acme:test"


def test_the_example_is_built_and_trained_on_the_cluster(yard: Yard, trainer_image: str, tmp_path: Path) -> None:
    """Applied as it is but for the team's registry, the place of its data, and what this small node has."""
    engine = yard.cluster.engine
    python = images.base_image(engine)
    images.build_in(engine, EXAMPLE, "Dockerfile", IMAGE, BASE_IMAGE=trainer_image, PYTHON_IMAGE=python)
    load(yard.cluster, IMAGE, yard.cluster.workers())
    make(tmp_path / "digits", images=200)
    here = example("digits-own-backbone", CLASSIFICATION).body["spec"]
    story = example("own-backbone", EXAMPLE / "run.yaml").for_epochs(4).having(here["artifacts"], "artifacts")
    story = story.having({**here["resources"], "image": IMAGE}, "resources")
    story = story.having({**here["dataset"]["s3"], "uri": "s3://datasets/own-backbone/v1/"}, "dataset", "s3")
    yard.store.upload(tmp_path / "digits", story.body["spec"]["dataset"]["s3"]["uri"])
    (run,) = yard.start(story)

    status = run.wait("Complete", 600)

    yard.store.download(status["artifactsUri"], tmp_path / "artifacts")
    record = json.loads((tmp_path / "artifacts" / "run.json").read_text())
    assert record["run"]["spec"]["model"]["architecture"] == "acme_resnet10"
    assert (tmp_path / "artifacts" / "best.onnx").exists()
