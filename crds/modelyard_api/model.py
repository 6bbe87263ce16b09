"""What is trained, which weights it starts from, and what is done with it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from modelyard_api.base import ApiModel, Matches, Rule
from modelyard_api.location import Folder, S3Location, VolumeLocation, one_source

RunName = Annotated[
    str,
    StringConstraints(max_length=63),
    Matches("must be the name of a TrainingRun in the same namespace", ("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",)),
]
Sha256 = Annotated[
    str,
    StringConstraints(max_length=64),
    Matches("must be a SHA-256: 64 hexadecimal digits, as sha256sum prints them", ("^[0-9a-f]{64}$",)),
]


class Mode(StrEnum):
    """What a run does with its model."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    EXPORT = "export"


class Pretrained(ApiModel):
    """One file of weights, of whatever origin: a PyTorch state dict, safetensors, or a best.pt of ours."""

    rules: ClassVar = (
        one_source("s3", "path", "volume", "url"),
        Rule(
            "!has(self.url) || has(self.sha256)",
            "must be given with url: what comes from elsewhere has to be known beforehand",
            path=".sha256",
            holds=lambda weights: weights.url is None or weights.sha256 is not None,
        ),
    )

    s3: Annotated[
        S3Location | None,
        Field(
            description="A file in S3, such as s3://weights/resnet18.pth; or a name that `modelyard weights push` "
            "gave, such as s3://weights/resnet18-imagenet/, which is its newest version unless sha256 names another."
        ),
    ] = None
    path: Annotated[
        Folder | None,
        Field(description="A file that the pod (or, with `modelyard train`, this computer) already has."),
    ] = None
    volume: Annotated[
        VolumeLocation | None,
        Field(description="A file on a PersistentVolumeClaim; not with `modelyard train`."),
    ] = None
    url: Annotated[
        str | None,
        StringConstraints(max_length=1024),
        Matches("must be an address that begins with https://", ("^https://[!-.0-~]+(/[!-~]*)?$",)),
        Field(description="A file to download, where pods may reach the internet; sha256 is required."),
    ] = None
    sha256: Annotated[Sha256 | None, Field(description="SHA-256 that the file must have, whichever way it comes.")] = (
        None
    )


class FromWeights(StrEnum):
    """Which weights of a run."""

    BEST = "best"
    LAST = "last"


class From(ApiModel):
    """What another run has published: its weights, checked against its SHA256SUMS."""

    rules: ClassVar = (one_source("run", "s3", "path", "volume"),)

    run: Annotated[
        RunName | None,
        Field(
            description="A TrainingRun of the same namespace; this one waits until that one is complete. Its results "
            "are read with the Secret that it published them with."
        ),
    ] = None
    s3: Annotated[
        S3Location | None,
        Field(description="The folder that a run published, as its status.artifactsUri names it."),
    ] = None
    path: Annotated[
        Folder | None,
        Field(description="Such a folder that the pod (or, with `modelyard train`, this computer) already has."),
    ] = None
    volume: Annotated[
        VolumeLocation | None,
        Field(description="Such a folder on a PersistentVolumeClaim; not with `modelyard train`."),
    ] = None
    weights: Annotated[FromWeights, Field(description="Its best weights or those of its last epoch.")] = (
        FromWeights.BEST
    )


class Model(ApiModel):
    """What is trained."""

    rules: ClassVar = (
        Rule(
            "!has(self.from) || !has(self.pretrained)",
            "must not be given together with spec.model.from: there is one start",
            path=".pretrained",
            holds=lambda model: model.start is None or model.pretrained is None,
        ),
    )

    architecture: Annotated[
        str,
        StringConstraints(max_length=128),
        Matches("must be the name of an architecture, such as yolov5nu", (r"^[A-Za-z0-9][A-Za-z0-9._-]*$",)),
        Field(
            description="Name of the architecture, such as yolov5nu (ultralytics, for detection), resnet18 (timm, for "
            "classification and face-id) or osnet_x1_0 (torchreid, for reid). It starts at random "
            "unless pretrained or from names weights."
        ),
    ]
    pretrained: Annotated[
        Pretrained | None,
        Field(description="Weights to start from. What does not fit the run's classes starts at random."),
    ] = None
    start: Annotated[
        From | None,
        Field(
            alias="from",
            description="Another run's weights to start from, with this run's data and epochs. What does not fit the "
            "run's classes starts at random.",
        ),
    ] = None

    @property
    def has_weights(self) -> bool:
        """Whether it names weights to start from."""
        return self.pretrained is not None or self.start is not None

    @property
    def volume(self) -> VolumeLocation | None:
        """The volume that its weights lie on, if they do."""
        weights = self.pretrained or self.start
        return weights.volume if weights else None
