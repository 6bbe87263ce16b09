"""Images are named after what they are made of, and a layer's place in a node follows from its digests."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from modelyard_cluster import images, link_layers
from modelyard_cluster.cache import REPOSITORY


def test_a_recipe_names_all_that_its_dockerfile_copies() -> None:
    """Else an image would not be built anew when something it holds has changed."""
    for recipe in (images.OPERATOR, images.TRAINER, images.DATASET):
        stage = (REPOSITORY / recipe.dockerfile).read_text()
        if recipe.target:
            stage = stage.partition(f" AS {recipe.target}\n")[2].partition("\nFROM ")[0]
        for line in stage.splitlines():
            if line.startswith("COPY ") and "--from" not in line:
                for source in line.split()[1:-1]:
                    assert any(f"{source}/".startswith(f"{known}/") for known in recipe.sources), (recipe.name, source)


def test_every_source_of_a_recipe_is_there() -> None:
    for recipe in (images.OPERATOR, images.TRAINER, images.TRAINER_TEST, images.DATASET):
        for source in (recipe.dockerfile, *recipe.sources):
            assert (REPOSITORY / source).exists(), source


def test_layers_are_found_by_their_chain_ids(tmp_path: Path) -> None:
    first, second = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    chain = (
        "sha256:" + hashlib.sha256(f"{first} {second}".encode()).hexdigest()
    )  # as the OCI image specification has it
    for chain_id, folder in ((first, "lower"), (chain, "upper")):
        entry = tmp_path / "image/overlay2/layerdb/sha256" / chain_id.removeprefix("sha256:")
        entry.mkdir(parents=True)
        (entry / "cache-id").write_text(folder)

    lower, upper = link_layers.layers_below(tmp_path, [first, second])

    assert (lower.chain_id, lower.folder) == (first, tmp_path / "overlay2/lower/diff")
    assert (upper.chain_id, upper.folder) == (chain, tmp_path / "overlay2/upper/diff")


def test_the_archive_without_layers_is_an_image_layout() -> None:
    configuration = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
    archive = link_layers.layout_without_layers("docker.io/library/x:1", configuration, ["sha256:" + "a" * 64])
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]

    (manifest,) = json.loads(files["index.json"])["manifests"]
    assert manifest["annotations"] == {"io.containerd.image.name": "docker.io/library/x:1"}
    described = json.loads(files["blobs/" + manifest["digest"].replace(":", "/")])
    assert files["blobs/" + described["config"]["digest"].replace(":", "/")] == configuration
    for name, content in files.items():
        if name.startswith("blobs/sha256/"):
            assert hashlib.sha256(content).hexdigest() == name.removeprefix("blobs/sha256/")
