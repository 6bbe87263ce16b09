"""What only re-identification knows: which folders hold persons, how batches are put together, and how it is measured.

Names are those that users of torchreid know. Left out is what nothing honours yet.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from modelyard_api.base import ApiModel, Atomic, Rule
from modelyard_api.classification import PathBelow
from modelyard_api.pictures import Probability

DEFAULT_INSTANCES = 4


class SamplerName(StrEnum):
    """How the pictures of a batch are chosen."""

    IDENTITY = "identity"
    CAMERA = "camera"
    DATASET = "dataset"
    RANDOM = "random"


class ReidSampler(ApiModel):
    """Which pictures meet in a batch. The order of an epoch follows from the seed and the epoch alone."""

    rules: ClassVar = (
        Rule(
            "self.name != 'camera' || has(self.numCams)",
            "must be said for the sampler camera, such as 4",
            path=".numCams",
            holds=lambda sampler: sampler.name is not SamplerName.CAMERA or sampler.num_cams is not None,
        ),
        Rule(
            "self.name != 'dataset' || has(self.numDatasets)",
            "must be said for the sampler dataset, such as 2",
            path=".numDatasets",
            holds=lambda sampler: sampler.name is not SamplerName.DATASET or sampler.num_datasets is not None,
        ),
        Rule(
            "!has(self.numCams) || self.name in ['identity', 'camera']",
            "is for the samplers identity and camera only; leave it out",
            path=".numCams",
            holds=lambda sampler: (
                sampler.num_cams is None or sampler.name in {SamplerName.IDENTITY, SamplerName.CAMERA}
            ),
        ),
        Rule(
            "!has(self.numDatasets) || self.name in ['identity', 'dataset']",
            "is for the samplers identity and dataset only; leave it out",
            path=".numDatasets",
            holds=lambda sampler: (
                sampler.num_datasets is None or sampler.name in {SamplerName.IDENTITY, SamplerName.DATASET}
            ),
        ),
    )

    name: Annotated[
        SamplerName,
        Field(
            description="identity: each batch holds numInstances pictures of each of its persons. camera: as many of "
            "each of numCams cameras. dataset: as many of each of numDatasets sources. random: any."
        ),
    ] = SamplerName.IDENTITY
    num_instances: Annotated[
        int,
        Field(
            ge=2,
            le=1024,
            description="Pictures of a person in a batch, for identity. A person with fewer has some of them twice.",
        ),
    ] = DEFAULT_INSTANCES
    num_cams: Annotated[
        int | None,
        Field(
            ge=1,
            le=1024,
            description="For camera: cameras of a batch. For identity: cameras that a person's pictures in a batch "
            "come from, where there are so many; any without it.",
        ),
    ] = None
    num_datasets: Annotated[
        int | None,
        Field(
            ge=1,
            le=16,
            description="For dataset: sources of a batch. For identity: sources that the persons of a batch come from, "
            "as many from each; any without it.",
        ),
    ] = None


class ReidLoss(ApiModel):
    """What training makes small: weightT x triplet + weightX x softmax."""

    rules: ClassVar = (
        Rule(
            "self.weightT > 0.0 || self.weightX > 0.0",
            "must leave a loss: weightT or weightX must be above 0",
            holds=lambda loss: loss.weight_t > 0 or loss.weight_x > 0,
        ),
    )

    weight_t: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            description="Weight of the triplet loss with the hardest positive and negative of the batch "
            "(arXiv:1703.07737); 0 trains with softmax alone.",
        ),
    ] = 1.0
    weight_x: Annotated[
        float,
        Field(ge=0, le=1000, description="Weight of the cross-entropy of the persons; 0 trains with triplets alone."),
    ] = 1.0
    margin: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            description="By how much further away the nearest other person must be than the person's own furthest.",
        ),
    ] = 0.3
    label_smoothing: Annotated[
        float, Field(ge=0, lt=1, description="Share of each label that is spread over all persons.")
    ] = 0.1


class ColorJitter(ApiModel):
    """How much colours vary, as torchvision's ColorJitter; the defaults are torchreid's."""

    brightness: Annotated[Probability, Field(description="Largest change of the brightness, as a fraction.")] = 0.2
    contrast: Annotated[Probability, Field(description="Largest change of the contrast, as a fraction.")] = 0.15
    saturation: Annotated[Probability, Field(description="Largest change of the saturation, as a fraction.")] = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5, description="Largest turn of the hue, as a fraction of the circle.")] = (
        0.0
    )


class ReidAugment(ApiModel):
    """How training pictures are varied, one after the other as they stand here."""

    random_flip: Annotated[Probability, Field(description="Probability of mirroring left and right.")] = 0.5
    random_crop: Annotated[
        Probability,
        Field(description="Probability of enlarging by an eighth and cutting a place of the original size out."),
    ] = 0.5
    color_jitter: Annotated[ColorJitter | None, Field(description="How much colours vary; not at all without it.")] = (
        None
    )
    random_gray_scale: Annotated[
        Probability, Field(description="Probability of taking the colours away: clothes then tell by their form.")
    ] = 0.0
    random_erase: Annotated[
        Probability,
        Field(description="Probability of covering a rectangle with the mean colour (arXiv:1708.04896)."),
    ] = 0.0


class Distance(StrEnum):
    """How far apart two embeddings are."""

    EUCLIDEAN = "euclidean"
    COSINE = "cosine"


class ReidMetric(StrEnum):
    """What epochs are compared by."""

    MAP = "mAP"
    RANK1 = "rank1"


class Reranking(ApiModel):
    """k-reciprocal encoding (Zhong et al., CVPR 2017)."""

    k1: Annotated[int, Field(ge=1, le=1000, description="Neighbours that must find each other.")] = 20
    k2: Annotated[int, Field(ge=1, le=1000, description="Neighbours whose encodings are averaged; 1 for none.")] = 6
    original: Annotated[
        Probability, Field(description="Share of the original distance in the final one: the paper's lambda.")
    ] = 0.3


class Reid(ApiModel):
    """Re-identification with torchreid's OSNet networks, from random weights."""

    rules: ClassVar = (
        Rule(
            "self.loss.weightT == 0.0 || self.sampler.name == 'identity'",
            "must be identity for the triplet loss, which compares pictures of one person in a batch; or set "
            "loss.weightT to 0",
            path=".sampler.name",
            holds=lambda block: block.loss.weight_t == 0 or block.sampler.name is SamplerName.IDENTITY,
        ),
    )

    sources: Annotated[
        list[PathBelow],
        Atomic(),
        Field(
            max_length=16,
            description="Folders below the data set's, such as [market1501, dukemtmcreid], whose bounding_box_train is "
            "trained on; without it the data set's folder itself is the only one.",
        ),
    ] = []
    targets: Annotated[
        list[PathBelow],
        Atomic(),
        Field(
            max_length=16,
            description="Folders whose query is looked for in their bounding_box_test; without it those of sources.",
        ),
    ] = []
    combine_all: Annotated[
        bool, Field(description="Train on query and bounding_box_test of the sources as well, but for distractors.")
    ] = False
    load_train_targets: Annotated[bool, Field(description="Train on bounding_box_train of the targets as well.")] = (
        False
    )
    height: Annotated[int, Field(ge=32, le=2048, description="Height of the pictures in pixels.")] = 256
    width: Annotated[int, Field(ge=16, le=2048, description="Width of the pictures in pixels.")] = 128
    normalize: Annotated[
        bool,
        Field(description="Subtract ImageNet's mean and divide by its deviation, in the network itself."),
    ] = True
    augment: Annotated[ReidAugment, Field(description="How training pictures are varied.")] = ReidAugment()
    k_tfm: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Versions of each picture, varied independently, that are side by side in a batch: they count "
            "towards batchSize.",
        ),
    ] = 1
    sampler: Annotated[ReidSampler, Field(description="Which pictures meet in a batch.")] = ReidSampler()
    loss: Annotated[ReidLoss, Field(description="What training makes small.")] = ReidLoss()
    metric: Annotated[
        ReidMetric,
        Field(description="What decides on the best epoch: the mean over the targets; higher is better."),
    ] = ReidMetric.MAP
    ranks: Annotated[
        list[Annotated[int, Field(ge=1, le=10_000)]],
        Atomic(),
        Field(
            min_length=1,
            max_length=16,
            description="Places within which the person must be found: each makes a metric, such as rank5. A gallery "
            "with fewer places counts as a whole.",
        ),
    ] = [1, 5, 10, 20]
    distance: Annotated[
        Distance,
        Field(
            description="How embeddings are compared; with cosine the network gives them the length 1, also where it "
            "is exported."
        ),
    ] = Distance.EUCLIDEAN
    use_metric_cuhk03: Annotated[
        bool,
        Field(
            description="Ranks as CUHK03's protocol counts them: one picture of each person in the gallery, drawn ten "
            "times."
        ),
    ] = False
    rerank: Annotated[
        Reranking | None,
        Field(description="Evaluate the best weights a second time with re-ranking, whose metrics begin with rerank/."),
    ] = None
    visrank_topk: Annotated[
        int,
        Field(
            ge=0,
            le=50,
            description="Places that the picture of ranked results shows for a few queries of each target; 0 for none.",
        ),
    ] = 10

    @property
    def together(self) -> int:
        """Pictures that the sampler puts together: a batch is a multiple of them."""
        sampler = self.sampler
        return (
            self.k_tfm
            * {
                SamplerName.IDENTITY: sampler.num_instances * (sampler.num_datasets or 1),
                SamplerName.CAMERA: sampler.num_cams or 1,
                SamplerName.DATASET: sampler.num_datasets or 1,
                SamplerName.RANDOM: 1,
            }[sampler.name]
        )
