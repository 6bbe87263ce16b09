"""What a person writes: the spec of a TrainingRun."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints
from pydantic.alias_generators import to_camel

from modelyard_api import GROUP
from modelyard_api.base import ApiModel, Atomic, Matches, Rule, cel_string
from modelyard_api.checkpoints import CheckpointPolicy
from modelyard_api.classification import Classification
from modelyard_api.detection import Detection
from modelyard_api.export import DEFAULT_OPSET, ArtifactNaming, Export, ExportFormat
from modelyard_api.face_id import FaceId
from modelyard_api.location import SUBDOMAIN, Folder, Name, S3Location, VolumeLocation, one_source
from modelyard_api.model import Mode, Model
from modelyard_api.quantity import quantity
from modelyard_api.quantization import Quantization
from modelyard_api.recovery import Recovery
from modelyard_api.reid import DEFAULT_INSTANCES, Reid


class Task(StrEnum):
    """What kind of model is trained."""

    DETECTION = "detection"
    CLASSIFICATION = "classification"
    FACE_ID = "face-id"
    REID = "reid"


class DatasetFormat(StrEnum):
    """How labels are written."""

    YOLO = "yolo"
    COCO = "coco"
    IMAGE_FOLDER = "image-folder"
    TABLE = "table"
    MARKET1501 = "market1501"


FORMATS = {
    Task.DETECTION: (DatasetFormat.YOLO, DatasetFormat.COCO),
    Task.CLASSIFICATION: (DatasetFormat.IMAGE_FOLDER, DatasetFormat.TABLE),
    Task.REID: (DatasetFormat.MARKET1501,),
    Task.FACE_ID: (DatasetFormat.IMAGE_FOLDER,),
}
"""How labels are written, for each task."""


class Dataset(ApiModel):
    """The pictures and labels that the model learns from."""

    rules: ClassVar = (one_source("s3", "path", "volume"),)

    s3: Annotated[
        S3Location | None,
        Field(description="The data set in S3. It is checked against its SHA256SUMS where it has one."),
    ] = None
    path: Annotated[
        Folder | None,
        Field(
            description="A folder that the pod (or, with `modelyard train`, this computer) already has, instead of S3."
        ),
    ] = None
    volume: Annotated[
        VolumeLocation | None,
        Field(description="A folder on a PersistentVolumeClaim, instead of S3; not with `modelyard train`."),
    ] = None
    format: Annotated[
        DatasetFormat,
        Field(
            description="How labels are written. For detection: yolo (images/ and labels/ with a text file for each "
            "picture, and data.yaml) or coco (one JSON file). For classification: image-folder (a folder for each "
            "class, below train/, val/ and test/ or in one tree) or table (one file that spec.classification.table "
            "describes). For face-id: image-folder, with a folder for each identity. For reid: market1501 "
            "(bounding_box_train/, query/ and bounding_box_test/ with pictures named as in Market-1501, "
            "0001_c1s1_000151_01.jpg, or as in DukeMTMC-reID, 0001_c1_f0046182.jpg)."
        ),
    ] = DatasetFormat.YOLO
    validation_split: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="Share of the training pictures set aside for validation where the data set has no "
            "validation split of its own. Which ones is decided by the seed and the pictures' "
            "names, the same on every machine.",
        ),
    ] = 0.2
    fraction: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Share of the training pictures that is used, for a quick trial; validation uses all of"
            " its own.",
        ),
    ] = 1.0
    limit: Annotated[
        int | None,
        Field(
            ge=2,
            le=2**31 - 1,
            description="Most pictures that are used of each split, for a quick trial; chosen by the seed and the "
            "pictures' names.",
        ),
    ] = None


class OptimizerName(StrEnum):
    """An optimizer that is applied exactly as written (there is no `auto`, which would drop the learning rate)."""

    ADAMW = "AdamW"
    ADAM = "Adam"
    ADAMAX = "Adamax"
    NADAM = "NAdam"
    RADAM = "RAdam"
    RMSPROP = "RMSProp"
    SGD = "SGD"


_WITH_AMSGRAD = (OptimizerName.ADAMW, OptimizerName.ADAM)
_WITH_BETAS = (
    OptimizerName.ADAMW,
    OptimizerName.ADAM,
    OptimizerName.ADAMAX,
    OptimizerName.NADAM,
    OptimizerName.RADAM,
)


class Optimizer(ApiModel):
    """How weights are updated."""

    rules: ClassVar = (
        Rule(
            f"!has(self.beta2) || self.name in {[name.value for name in _WITH_BETAS]}",
            "is for AdamW, Adam, Adamax, NAdam and RAdam only; leave it out",
            path=".beta2",
            holds=lambda optimizer: optimizer.beta2 is None or optimizer.name in _WITH_BETAS,
        ),
        Rule(
            "!has(self.eps) || self.name != 'SGD'",
            "is not for SGD, which divides by nothing; leave it out",
            path=".eps",
            holds=lambda optimizer: optimizer.eps is None or optimizer.name is not OptimizerName.SGD,
        ),
        Rule(
            f"!has(self.amsgrad) || self.name in {[name.value for name in _WITH_AMSGRAD]}",
            "is for AdamW and Adam only; leave it out",
            path=".amsgrad",
            holds=lambda optimizer: optimizer.amsgrad is None or optimizer.name in _WITH_AMSGRAD,
        ),
    )

    name: Annotated[OptimizerName, Field(description="Which optimizer.")] = OptimizerName.ADAMW
    learning_rate: Annotated[
        float, Field(gt=0, le=1, description="Learning rate after warm-up, before the schedule lowers it.")
    ] = 1e-3
    momentum: Annotated[
        float, Field(ge=0, lt=1, description="Momentum of SGD and RMSProp; beta1 of the Adam family.")
    ] = 0.9
    beta2: Annotated[
        float | None,
        Field(ge=0, lt=1, description="Second beta of the Adam family; 0.999 without it. Not for detection."),
    ] = None
    eps: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description="What is added to what updates are divided by, in the Adam family and RMSProp; 1.0e-8 without "
            "it. Not for detection.",
        ),
    ] = None
    amsgrad: Annotated[
        bool | None,
        Field(
            description="Divide by the largest second moment so far instead of the present one, in AdamW and Adam. Not "
            "for detection."
        ),
    ] = None
    weight_decay: Annotated[
        float, Field(ge=0, le=1, description="Weight decay, of weights only: not of biases and normalisation.")
    ] = 5e-4


class ScheduleName(StrEnum):
    """How the learning rate falls from its initial to its final value."""

    COSINE = "cosine"
    LINEAR = "linear"
    SINGLE_STEP = "single-step"
    MULTI_STEP = "multi-step"


DEFAULT_WARMUP_MOMENTUM, DEFAULT_WARMUP_BIAS_LEARNING_RATE = 0.8, 0.1
"""Detection's, as in ultralytics."""


DEFAULT_GAMMA = 0.1
_STEPS = (ScheduleName.SINGLE_STEP, ScheduleName.MULTI_STEP)


class Schedule(ApiModel):
    """How the learning rate changes over the epochs."""

    rules: ClassVar = (
        Rule(
            "(self.name == 'single-step') == has(self.stepEpochs)",
            "must be said for single-step, and left out for any other schedule",
            path=".stepEpochs",
            holds=lambda schedule: (schedule.name is ScheduleName.SINGLE_STEP) == (schedule.step_epochs is not None),
        ),
        Rule(
            "(self.name == 'multi-step') == (self.milestones.size() > 0)",
            "must be said for multi-step, and left out for any other schedule",
            path=".milestones",
            holds=lambda schedule: (schedule.name is ScheduleName.MULTI_STEP) == bool(schedule.milestones),
        ),
        Rule(
            f"!has(self.gamma) || self.name in {[name.value for name in _STEPS]}",
            "is for single-step and multi-step only; leave it out",
            path=".gamma",
            holds=lambda schedule: schedule.gamma is None or schedule.name in _STEPS,
        ),
        Rule(
            "!has(self.restartEpochs) || self.name == 'cosine'",
            "is for cosine only; leave it out",
            path=".restartEpochs",
            holds=lambda schedule: schedule.restart_epochs is None or schedule.name is ScheduleName.COSINE,
        ),
        Rule(
            "!has(self.etaMin) || self.name == 'cosine'",
            "is for cosine only; leave it out",
            path=".etaMin",
            holds=lambda schedule: schedule.eta_min is None or schedule.name is ScheduleName.COSINE,
        ),
    )

    name: Annotated[
        ScheduleName,
        Field(
            description="Shape of the fall: cosine or linear to the last epoch, a factor every so many epochs "
            "(single-step) or after the epochs that are named (multi-step)."
        ),
    ] = ScheduleName.COSINE
    warmup_epochs: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            description="Epochs over which the learning rate rises linearly to its initial value; parts of "
            "epochs are allowed, and 0 is no warm-up.",
        ),
    ] = 3.0
    warmup_momentum: Annotated[
        float | None,
        Field(
            ge=0,
            lt=1,
            description="Momentum of SGD and RMSProp at the start of warm-up; only for detection. Without it, "
            f"{DEFAULT_WARMUP_MOMENTUM:g}.",
        ),
    ] = None
    warmup_bias_learning_rate: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Learning rate of biases at the start of warm-up; only for detection. Without it, "
            f"{DEFAULT_WARMUP_BIAS_LEARNING_RATE:g}.",
        ),
    ] = None
    final_fraction: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="The last epoch's learning rate as a fraction of the initial one; for cosine and linear.",
        ),
    ] = 0.01
    step_epochs: Annotated[
        int | None,
        Field(ge=1, le=100_000, description="Epochs after each of which the rate is multiplied with gamma."),
    ] = None
    milestones: Annotated[
        list[Annotated[int, Field(ge=1, le=100_000)]],
        Atomic(),
        Field(max_length=64, description="Epochs after which the rate is multiplied with gamma, such as [30, 50]."),
    ] = []
    gamma: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description=f"Factor of single-step and multi-step; {DEFAULT_GAMMA:g} without it.",
        ),
    ] = None
    restart_epochs: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            description="Epochs after which cosine begins anew at the initial learning rate (warm restarts, SGDR); "
            "without it one fall lasts to the end.",
        ),
    ] = None
    eta_min: Annotated[
        float | None,
        Field(ge=0, le=1, description="Learning rate at the end of a fall, in place of finalFraction; for cosine."),
    ] = None


class MixedPrecision(StrEnum):
    """Arithmetic of the forward pass."""

    DISABLED = "disabled"
    BF16 = "bf16"
    FP16 = "fp16"


class ImageCache(StrEnum):
    """Where decoded pictures are kept between epochs."""

    NONE = "none"
    MEMORY = "memory"
    DISK = "disk"


DETECTION_IMAGE_SIZE, DETECTION_STRIDE = 640, 32
"""Pixels of a side, and what divides it in every detector that there is."""
SMALLEST_SIDE = 8
"""Pixels of the smallest square; which ones a network can look at, it says itself."""


class Training(ApiModel):
    """How the model is trained, whatever its task."""

    rules: ClassVar = (
        Rule(
            "self.schedule.warmupEpochs == 0.0 || self.schedule.warmupEpochs <= double(self.epochs) - 1.0",
            "must leave at least one of spec.training.epochs after the warm-up (3 by default); 0 is no warm-up",
            path=".schedule.warmupEpochs",
            holds=lambda training: (
                training.schedule.warmup_epochs == 0 or training.schedule.warmup_epochs <= training.epochs - 1
            ),
        ),
        Rule(
            "!self.freezeBackbone || self.freeze == 0",
            "freezes more than spec.training.freeze does; leave one of them out",
            path=".freezeBackbone",
            holds=lambda training: not training.freeze_backbone or training.freeze == 0,
        ),
        Rule(
            "self.freezeEpochs == 0 || self.freezeBackbone || self.freeze > 0",
            "needs spec.training.freezeBackbone or freeze, which say what is frozen",
            path=".freezeEpochs",
            holds=lambda training: not training.freeze_epochs or training.freeze_backbone or training.freeze > 0,
        ),
        Rule(
            "self.freezeEpochs < self.epochs",
            "must leave at least one of spec.training.epochs in which everything is trained; 0 freezes for all",
            path=".freezeEpochs",
            holds=lambda training: training.freeze_epochs < training.epochs,
        ),
        Rule(
            "!has(self.schedule.etaMin) || self.schedule.etaMin < self.optimizer.learningRate",
            "must be below spec.training.optimizer.learningRate, from which the rate falls to it",
            path=".schedule.etaMin",
            holds=lambda training: (
                training.schedule.eta_min is None or training.schedule.eta_min < training.optimizer.learning_rate
            ),
        ),
        Rule(
            "!has(self.quantization) || self.freezeEpochs > 0 || (!self.freezeBackbone && self.freeze == 0)",
            "trains all of the network, and spec.training.freeze or freezeBackbone keeps parts of it as they are: "
            "leave one of them out, or say in freezeEpochs when they thaw",
            path=".quantization",
            holds=lambda training: (
                training.quantization is None
                or training.freeze_epochs > 0
                or not (training.freeze_backbone or training.freeze)
            ),
        ),
    )

    epochs: Annotated[int, Field(ge=1, le=100_000, description="How often the whole training split is seen.")] = 100
    batch_size: Annotated[
        int,
        Field(
            ge=1,
            le=65_536,
            description="Pictures in one forward and backward pass, over all GPUs together, which share them equally. "
            "A last batch of an epoch with fewer than half as many is left out, other pictures each time; for "
            "detection only one that a GPU would have a lone picture of.",
        ),
    ] = 16
    gradient_accumulation: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            description="Passes whose gradients are added up for one optimizer step: 4 with batchSize 16 makes "
            "steps of 64 pictures, which ultralytics calls its nominal batch size (nbs).",
        ),
    ] = 1
    image_size: Annotated[
        int,
        Field(
            ge=SMALLEST_SIDE,
            le=8192,
            description="Side in pixels of the square that pictures are made to; for detection a multiple of "
            f"{DETECTION_STRIDE}. The default is detection's: classification and face-id must say theirs.",
        ),
    ] = DETECTION_IMAGE_SIZE
    optimizer: Annotated[Optimizer, Field(description="How weights are updated.")] = Optimizer()
    schedule: Annotated[Schedule, Field(description="How the learning rate changes over the epochs.")] = Schedule()
    patience: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="Epochs without a better metric after which training stops early; 0 never stops early.",
        ),
    ] = 0
    seed: Annotated[
        int,
        Field(ge=0, le=2**31 - 1, description="Seed of the split, the weights, the order and the augmentation."),
    ] = 0
    amp: Annotated[
        MixedPrecision, Field(description="Mixed precision of the forward pass; bf16 and fp16 need a GPU.")
    ] = MixedPrecision.DISABLED
    workers: Annotated[
        int,
        Field(
            ge=0,
            le=256,
            description="Processes that load pictures, for each GPU; without a GPU the trainer loads them itself.",
        ),
    ] = 8
    cache: Annotated[ImageCache, Field(description="Where decoded pictures are kept between epochs.")] = ImageCache.NONE
    save_period: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="Keep a numbered checkpoint every so many epochs; 0 keeps only the best and the last.",
        ),
    ] = 0
    freeze: Annotated[
        int,
        Field(
            ge=0,
            le=1000,
            description="How many layers, counted from the input, are not trained: those of ultralytics' architecture "
            "for detection, the stages of the backbone for other tasks (its stem is the first).",
        ),
    ] = 0
    freeze_backbone: Annotated[bool, Field(description="Train the head alone: all of the backbone is frozen.")] = False
    freeze_epochs: Annotated[
        int,
        Field(
            ge=0,
            le=100_000,
            description="Epochs after which what freeze or freezeBackbone froze is trained too; 0 leaves it frozen.",
        ),
    ] = 0
    evaluate_every: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Epochs from one look at the validation pictures to the next; the last epoch always has one. "
            "Between them no epoch becomes the best. Not for detection, which looks after each.",
        ),
    ] = 1
    gradient_clip: Annotated[
        float | None,
        Field(
            gt=0,
            le=1000,
            description="Largest norm of all gradients together; larger ones are scaled down to it. Without it they "
            "are left as they are. Not for detection, which clips at 10 always.",
        ),
    ] = None
    ema_decay: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="Validate and publish a running average of the weights, which at each step keeps this share of "
            "itself (less in the first steps), such as 0.999. Without it the weights themselves. Not for detection, "
            "which averages always.",
        ),
    ] = None
    quantization: Annotated[
        Quantization | None,
        Field(
            description="Quantisation-aware training (QAT): after the training, some epochs for an export in int8 with "
            "qat: true. Not for detection, whose int8 files have scales from calibration pictures."
        ),
    ] = None
    compile: Annotated[
        bool,
        Field(
            description="Compile the network with torch.compile: the first batches take minutes, all others less time. "
            "It needs an image with a C++ compiler. Not for detection, nor for the epochs in 8 bits of quantization."
        ),
    ] = False
    deterministic: Annotated[
        bool,
        Field(description="Use only algorithms that give the same result every time, even where they are slower."),
    ] = True


class Artifacts(ApiModel):
    """Where results go."""

    rules: ClassVar = (
        Rule(
            "has(self.s3) || has(self.path)",
            "must name where results go, as s3",
            holds=lambda artifacts: artifacts.s3 is not None or artifacts.path is not None,
        ),
        Rule(
            "!has(self.s3) || !has(self.path)",
            "must name one place: either s3 or path",
            holds=lambda artifacts: artifacts.s3 is None or artifacts.path is None,
        ),
        Rule(
            "!has(self.path)",
            "is for `modelyard train` on a computer of your own; in a cluster use s3",
            path=".path",
        ),
    )

    s3: Annotated[
        S3Location | None,
        Field(description="Results are written below URI/NAMESPACE/NAME/UID/ and appear there only when complete."),
    ] = None
    path: Annotated[
        Folder | None,
        Field(description="A folder on this computer instead of S3; only with `modelyard train`."),
    ] = None
    naming: Annotated[
        ArtifactNaming,
        Field(
            description="What exported files are called: plain is best.onnx and best-int8.onnx; timestamped is "
            "RUN_YYYYMMDD-HHMMSS_fp32.onnx and the like, by the time of the export in UTC."
        ),
    ] = ArtifactNaming.PLAIN


GPU_TYPE_LABEL = f"{GROUP}/gpu-type"
"""Label of nodes that says which kind of GPU they have."""

LABEL_KEY = (
    rf"^({SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
    "^([^/]{1,253}/)?[^/]{1,63}$",
)
"""Patterns that the name of a label matches."""
LabelValue = Annotated[
    str,
    StringConstraints(max_length=63),
    Matches("must be the value of a label, such as nvidia-l4", (r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",)),
]


class TolerationOperator(StrEnum):
    """How a toleration compares."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """What a taint does to pods."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(ApiModel):
    """A taint that the pod accepts, as in a PodSpec."""

    rules: ClassVar = (
        Rule(
            "!has(self.value) || self.?operator.orValue('Exists') == 'Equal'",
            "is for operator Equal only; leave it out",
            path=".value",
            holds=lambda toleration: toleration.value is None or toleration.operator is TolerationOperator.EQUAL,
        ),
    )

    key: Annotated[
        str,
        StringConstraints(max_length=316),
        Matches("must be the key of a taint, such as nvidia.com/gpu", LABEL_KEY),
        Field(description="Key of the taint."),
    ]
    operator: Annotated[TolerationOperator, Field(description="Exists, or Equal to `value`.")] = (
        TolerationOperator.EXISTS
    )
    value: Annotated[LabelValue | None, Field(description="Value of the taint, with Equal; empty without it.")] = None
    effect: Annotated[TaintEffect | None, Field(description="Effect of the taint; any without it.")] = None


Cores = Annotated[
    str,
    StringConstraints(max_length=20),
    Matches("must be a number of cores above zero, such as 4 or 500m", (r"^[0-9]+(\.[0-9]+|m)?$", "[1-9]")),
]
Bytes = Annotated[
    str,
    StringConstraints(max_length=20),
    Matches(
        "must be a number of bytes above zero, such as 16Gi",
        (r"^[0-9]+(\.[0-9]+)?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$", "[1-9]"),
    ),
]


class Resources(ApiModel):
    """What the pod may use and where it may run."""

    rules: ClassVar = (
        Rule(
            "!has(self.gpuType) || self.gpus > 0",
            "needs a GPU: set spec.resources.gpus to 1, or leave it out",
            path=".gpuType",
            holds=lambda resources: resources.gpu_type is None or resources.gpus > 0,
        ),
        Rule(
            "!isQuantity(self.memory) || !isQuantity(self.sharedMemory) || "
            "quantity(self.sharedMemory).isLessThan(quantity(self.memory))",
            "must be less than spec.resources.memory, which it is a part of",
            path=".sharedMemory",
            holds=lambda resources: quantity(resources.shared_memory) < quantity(resources.memory),
        ),
        Rule(
            f"self.nodeSelector.all(key, {' && '.join(f'key.matches({cel_string(part)})' for part in LABEL_KEY)})",
            "must have keys that are names of labels, such as topology.kubernetes.io/zone",
            path=".nodeSelector",
            holds=lambda resources: all(
                re.fullmatch(part, key) for key in resources.node_selector for part in LABEL_KEY
            ),
        ),
        Rule(
            f"!has(self.gpuType) || !('{GPU_TYPE_LABEL}' in self.nodeSelector)",
            f"must leave out {GPU_TYPE_LABEL}, which gpuType sets",
            path=".nodeSelector",
            holds=lambda resources: resources.gpu_type is None or GPU_TYPE_LABEL not in resources.node_selector,
        ),
    )

    gpus: Annotated[
        int,
        Field(
            ge=0,
            le=16,
            description="GPUs (nvidia.com/gpu) of the pod; 0 trains on the CPU. Each takes an equal share of every "
            "batch.",
        ),
    ] = 1
    gpu_type: Annotated[
        LabelValue | None,
        Field(min_length=1, description=f"Kind of GPU: the value of the node label {GPU_TYPE_LABEL}."),
    ] = None
    cpu: Annotated[Cores, Field(description="CPU cores, such as 4 or 500m, requested and allowed.")] = "4"
    memory: Annotated[
        Bytes,
        Field(description="Memory, such as 16Gi, requested and allowed; /dev/shm and its files count towards it."),
    ] = "16Gi"
    shared_memory: Annotated[
        Bytes,
        Field(description="Size of /dev/shm, through which the loader's processes hand over pictures."),
    ] = "2Gi"
    scratch: Annotated[
        Bytes, Field(description="Disk for the data set, checkpoints and exports while the run lives.")
    ] = "50Gi"
    queue: Annotated[
        str | None,
        StringConstraints(max_length=63),
        Matches("must be the name of a LocalQueue, such as gpus", (r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",)),
        Field(description="Kueue LocalQueue that the Job waits in (its label kueue.x-k8s.io/queue-name)."),
    ] = None
    service_account_name: Annotated[
        Name | None,
        Field(description="Service account of the pod, for S3 access without a Secret. Its token is not mounted."),
    ] = None
    priority_class_name: Annotated[Name | None, Field(description="PriorityClass of the pod.")] = None
    node_selector: Annotated[
        dict[str, LabelValue], Atomic(), Field(max_length=16, description="Labels that the node must have.")
    ] = {}
    tolerations: Annotated[
        list[Toleration], Atomic(), Field(max_length=16, description="Taints of nodes that the pod accepts.")
    ] = []
    image: Annotated[
        str | None,
        StringConstraints(max_length=512),
        Matches(
            "must be an image such as registry.example.com/team/trainer:1.2", (r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$",)
        ),
        Field(description="Trainer image instead of the operator's default, for a team's own tasks."),
    ] = None


class Approval(ApiModel):
    """A person's word before any GPU is used."""

    required: Annotated[bool, Field(description="Wait until `approved` is true.")] = False
    approved: Annotated[bool, Field(description="May be set at any time; the run starts once it is true.")] = False


_Read = Callable[[Training], object]
_DETECTIONS_OWN: tuple[tuple[str, _Read], ...] = (
    ("schedule.warmupMomentum", lambda training: training.schedule.warmup_momentum),
    ("schedule.warmupBiasLearningRate", lambda training: training.schedule.warmup_bias_learning_rate),
)
"""Fields that only ultralytics' schedule has."""
_NOT_FOR_DETECTION: tuple[tuple[str, _Read], ...] = (
    ("optimizer.beta2", lambda training: training.optimizer.beta2),
    ("optimizer.eps", lambda training: training.optimizer.eps),
    ("optimizer.amsgrad", lambda training: training.optimizer.amsgrad),
    ("schedule.restartEpochs", lambda training: training.schedule.restart_epochs),
    ("schedule.etaMin", lambda training: training.schedule.eta_min),
    ("gradientClip", lambda training: training.gradient_clip),
    ("emaDecay", lambda training: training.ema_decay),
    ("quantization", lambda training: training.quantization),
)
"""Fields that ultralytics' training has nothing for."""


def _block_of(task: Task) -> Rule:
    attribute = task.value.replace("-", "_")
    field = to_camel(attribute)

    def holds(spec: TrainingRunSpec) -> bool:
        return spec.task is task or getattr(spec, attribute) is None

    return Rule(
        f"!has(self.{field}) || self.task == '{task.value}'",
        f"is for task {task.value} only; leave it out",
        path=f".{field}",
        holds=holds,
    )


def _formats_of(task: Task) -> Rule:
    formats = FORMATS[task]

    def holds(spec: TrainingRunSpec) -> bool:
        return spec.task is not task or spec.dataset.format in formats

    return Rule(
        f"self.task != '{task.value}' || self.dataset.format in {[each.value for each in formats]}",
        f"must be {' or '.join(formats)} for {task.value}",
        path=".dataset.format",
        holds=holds,
    )


def _detections_own(field: str, read: _Read) -> Rule:
    def holds(spec: TrainingRunSpec) -> bool:
        return spec.task is Task.DETECTION or read(spec.training) is None

    return Rule(
        f"self.task == 'detection' || !has(self.training.{field})",
        "is for task detection only; leave it out",
        path=f".training.{field}",
        holds=holds,
    )


def _not_for_detection(field: str, read: _Read) -> Rule:
    def holds(spec: TrainingRunSpec) -> bool:
        return spec.task is not Task.DETECTION or read(spec.training) is None

    return Rule(
        f"!has(self.training.{field}) || self.task != 'detection'",
        "is not for detection; leave it out",
        path=f".training.{field}",
        holds=holds,
    )


_OF_SQUARES = (Task.CLASSIFICATION, Task.FACE_ID)
"""Tasks whose pictures are squares of imageSize, which has no default of theirs."""

_TOGETHER = (
    f"!has(self.reid) ? {DEFAULT_INSTANCES} : self.reid.kTfm * ("
    "self.reid.sampler.name == 'identity' ? "
    "self.reid.sampler.numInstances * self.reid.sampler.?numDatasets.orValue(1) : "
    "self.reid.sampler.name == 'camera' ? self.reid.sampler.?numCams.orValue(1) : "
    "self.reid.sampler.?numDatasets.orValue(1))"
)
"""`Reid.together` in CEL."""

SPEC_RULES = (
    Rule(
        "self.mode == 'train' || has(self.model.from) || has(self.model.pretrained)",
        "needs weights unless it is train: name them in spec.model.from or spec.model.pretrained",
        path=".mode",
        holds=lambda spec: spec.mode is Mode.TRAIN or spec.model.has_weights,
    ),
    Rule(
        "self.mode != 'export' || self.export.size() > 0",
        "must name at least one format where spec.mode is export",
        path=".export",
        holds=lambda spec: spec.mode is not Mode.EXPORT or bool(spec.export),
    ),
    *(_block_of(task) for task in FORMATS),
    *(_formats_of(task) for task in FORMATS),
    Rule(
        "self.dataset.format != 'table' || self.task != 'classification' || "
        "(has(self.classification) && has(self.classification.table))",
        "needs spec.classification.table, which says what the table's fields mean",
        path=".dataset.format",
        holds=lambda spec: (
            spec.dataset.format is not DatasetFormat.TABLE
            or spec.task is not Task.CLASSIFICATION
            or (spec.classification is not None and spec.classification.table is not None)
        ),
    ),
    Rule(
        "self.dataset.format == 'table' || !has(self.classification) || !has(self.classification.table)",
        "is for dataset.format table only; leave it out",
        path=".classification.table",
        holds=lambda spec: (
            spec.dataset.format is DatasetFormat.TABLE
            or spec.classification is None
            or spec.classification.table is None
        ),
    ),
    Rule(
        "!has(self.classification) || self.dataset.validationSplit + self.classification.testSplit < 1.0",
        "must leave pictures to train on: spec.dataset.validationSplit and it must be below 1 together",
        path=".classification.testSplit",
        holds=lambda spec: (
            spec.classification is None or spec.dataset.validation_split + spec.classification.test_split < 1
        ),
    ),
    Rule(
        f"self.task != 'detection' || self.training.imageSize % {DETECTION_STRIDE} == 0",
        f"must be a multiple of {DETECTION_STRIDE} for detection, whose networks halve pictures five times",
        path=".training.imageSize",
        holds=lambda spec: spec.task is not Task.DETECTION or spec.training.image_size % DETECTION_STRIDE == 0,
    ),
    Rule(
        f"!(self.task in ['classification', 'face-id']) || self.training.imageSize != {DETECTION_IMAGE_SIZE}",
        f"must be said, since {DETECTION_IMAGE_SIZE} is for detection only; 224 fits most architectures",
        path=".training.imageSize",
        holds=lambda spec: spec.task not in _OF_SQUARES or spec.training.image_size != DETECTION_IMAGE_SIZE,
    ),
    Rule(
        f"self.task != 'reid' || self.training.imageSize == {DETECTION_IMAGE_SIZE}",
        "is not for reid, whose pictures are spec.reid.height x width; leave it out",
        path=".training.imageSize",
        holds=lambda spec: spec.task is not Task.REID or spec.training.image_size == DETECTION_IMAGE_SIZE,
    ),
    Rule(
        f"self.task != 'reid' || self.training.batchSize % ({_TOGETHER}) == 0",
        "must be a multiple of what spec.reid.sampler puts together: numInstances (4 by default) times numDatasets for "
        "identity, numCams for camera, numDatasets for dataset, and kTfm times that",
        path=".training.batchSize",
        holds=lambda spec: spec.task is not Task.REID or spec.training.batch_size % (spec.reid or Reid()).together == 0,
    ),
    Rule(
        "self.task != 'detection' || self.training.evaluateEvery == 1",
        "must be 1 for detection, which looks at the validation pictures after each epoch",
        path=".training.evaluateEvery",
        holds=lambda spec: spec.task is not Task.DETECTION or spec.training.evaluate_every == 1,
    ),
    Rule(
        "self.task != 'detection' || !self.training.compile",
        "must be false for detection, which ultralytics trains as it is",
        path=".training.compile",
        holds=lambda spec: spec.task is not Task.DETECTION or not spec.training.compile,
    ),
    Rule(
        "self.task != 'detection' || self.training.schedule.name in ['cosine', 'linear']",
        "must be cosine or linear for detection",
        path=".training.schedule.name",
        holds=lambda spec: (
            spec.task is not Task.DETECTION or spec.training.schedule.name in {ScheduleName.COSINE, ScheduleName.LINEAR}
        ),
    ),
    *(_detections_own(field, read) for field, read in _DETECTIONS_OWN),
    *(_not_for_detection(field, read) for field, read in _NOT_FOR_DETECTION),
    Rule(
        "self.training.amp == 'disabled' || self.resources.gpus > 0",
        "must be disabled without a GPU; or set spec.resources.gpus to 1",
        path=".training.amp",
        holds=lambda spec: spec.training.amp is MixedPrecision.DISABLED or spec.resources.gpus > 0,
    ),
    Rule(
        "self.resources.gpus < 2 || self.training.batchSize % self.resources.gpus == 0",
        "must be a multiple of spec.resources.gpus: each GPU takes an equal share of the batch",
        path=".training.batchSize",
        holds=lambda spec: spec.resources.gpus < 2 or spec.training.batch_size % spec.resources.gpus == 0,
    ),
    Rule(
        "!has(self.training.quantization) || self.resources.gpus < 2",
        "trains on one GPU at most; leave it out, or set spec.resources.gpus to 1",
        path=".training.quantization",
        holds=lambda spec: spec.resources.gpus < 2 or spec.training.quantization is None,
    ),
    Rule(
        "self.task == 'classification' || !self.export.exists(export, export.format == 'imx500')",
        "must not ask for imx500 unless task is classification; {format: onnx, precision: int8} would be right",
        path=".export",
        holds=lambda spec: (
            spec.task is Task.CLASSIFICATION or all(export.format is not ExportFormat.IMX500 for export in spec.export)
        ),
    ),
    Rule(
        "!has(self.training.quantization) || self.mode == 'train'",
        "is for mode train only, since it trains; leave it out",
        path=".training.quantization",
        holds=lambda spec: spec.mode is Mode.TRAIN or spec.training.quantization is None,
    ),
    Rule(
        "!has(self.training.quantization) || self.export.exists(export, export.?qat.orValue(false))",
        "needs an export that it is for, such as {format: onnx, precision: int8, qat: true} in spec.export",
        path=".training.quantization",
        holds=lambda spec: spec.training.quantization is None or any(export.qat for export in spec.export),
    ),
    Rule(
        "has(self.training.quantization) || !self.export.exists(export, export.?qat.orValue(false))",
        "must not ask for qat without spec.training.quantization, which trains for it",
        path=".export",
        holds=lambda spec: spec.training.quantization is not None or not any(export.qat for export in spec.export),
    ),
    # `orValue` of a text costs the API server's estimate more than all rules together may.
    Rule(
        "self.export.size() < 2 || self.export.all(one, self.export.exists_one(other, other.format == one.format && "
        "(has(other.precision) ? other.precision : 'fp32') == (has(one.precision) ? one.precision : 'fp32') && "
        "other.?dynamic.orValue(false) == one.?dynamic.orValue(false) && "
        "other.?qat.orValue(false) == one.?qat.orValue(false) && "
        f"other.?opset.orValue({DEFAULT_OPSET}) == one.?opset.orValue({DEFAULT_OPSET})))",
        "must not ask for the same format, precision, opset, dynamic and qat twice",
        path=".export",
        holds=lambda spec: _no_repeats(
            [(export.format, export.precision, export.operators, export.dynamic, export.qat) for export in spec.export]
        ),
    ),
    Rule(
        "self.formatPriorities.all(one, self.export.exists(export, export.format == one))",
        "must name formats that spec.export asks for",
        path=".formatPriorities",
        holds=lambda spec: set(spec.format_priorities) <= {export.format for export in spec.export},
    ),
    Rule(
        "self.formatPriorities.all(one, self.formatPriorities.exists_one(other, other == one))",
        "must not name a format twice",
        path=".formatPriorities",
        holds=lambda spec: _no_repeats(spec.format_priorities),
    ),
)


def _no_repeats(items: Sequence[Hashable]) -> bool:
    return len(set(items)) == len(items)


class TrainingRunSpec(ApiModel):
    """One training of one model."""

    rules: ClassVar = SPEC_RULES

    task: Annotated[
        Task,
        Field(description="What kind of model is trained."),
    ]
    mode: Annotated[
        Mode,
        Field(
            description="What is done: train (then evaluate, export and publish), evaluate (measure given weights on "
            "the validation and test pictures and publish the report) or export (export given weights, checked against "
            "them on validation pictures, and publish the files)."
        ),
    ] = Mode.TRAIN
    dataset: Annotated[
        Dataset, Field(description="The pictures and labels that the model learns from, or is measured on.")
    ]
    model: Annotated[Model, Field(description="What is trained, and the weights that it starts from.")]
    training: Annotated[Training, Field(description="How it is trained, whatever the task.")] = Training()
    detection: Annotated[Detection | None, Field(description="What only detection knows: losses and augmentation.")] = (
        None
    )
    classification: Annotated[
        Classification | None,
        Field(description="What only classification knows: labels, augmentation and the metric."),
    ] = None
    face_id: Annotated[
        FaceId | None,
        Field(description="What only face-id knows: the head, identities held out and augmentation."),
    ] = None
    reid: Annotated[
        Reid | None,
        Field(description="What only re-identification knows: folders, batches, losses and how it is measured."),
    ] = None
    export: Annotated[
        list[Export],
        Atomic(),
        Field(
            max_length=16,
            description="Files that the trained model is exported to; PyTorch weights are always there.",
        ),
    ] = [Export(format=ExportFormat.ONNX)]
    format_priorities: Annotated[
        list[ExportFormat],
        Atomic(),
        Field(
            max_length=16,
            description="Formats in the order of preference. They are exported in this order, and the first one"
            " that is published is named as the primary artifact in run.json and status.",
        ),
    ] = []
    artifacts: Annotated[Artifacts, Field(description="Where results go.")]
    resources: Annotated[Resources, Field(description="What the pod may use and where it may run.")] = Resources()
    checkpoints: Annotated[
        CheckpointPolicy,
        Field(description="How often the training's state is kept, so that another attempt can go on from there."),
    ] = CheckpointPolicy()
    recovery: Annotated[
        Recovery,
        Field(
            description="What happens when an attempt does not end well, and how long things may take. May change "
            "at any time."
        ),
    ] = Recovery()
    approval: Annotated[
        Approval, Field(description="A person's word before any GPU is used. May change at any time.")
    ] = Approval()
    suspend: Annotated[
        bool,
        Field(description="True frees the GPU and keeps the run; false lets it go on. May change at any time."),
    ] = False

    @property
    def epochs_to_train(self) -> int:
        """Epochs that are trained, those in 8 bits among them; 0 for a run that trains nothing."""
        later = self.training.quantization.epochs if self.training.quantization else 0
        return self.training.epochs + later if self.mode is Mode.TRAIN else 0
