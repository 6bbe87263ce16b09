"""What a person writes: the spec of a TrainingRun."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from modelyard_api.base import ApiModel, Atomic, Duration
from modelyard_api.detection import Detection

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)]
S3Uri = Annotated[
    str,
    StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$", min_length=6, max_length=1024),
]


class Task(StrEnum):
    """What kind of model is trained."""

    DETECTION = "detection"
    CLASSIFICATION = "classification"
    FACE_ID = "face-id"
    REID = "reid"


class SecretReference(ApiModel):
    """A Secret in the run's namespace. Only the pod reads it; the operator has no right to."""

    name: Annotated[Name, Field(description="Name of the Secret.")]


class S3Location(ApiModel):
    """A place in an S3 store and how to get at it."""

    uri: Annotated[
        S3Uri,
        Field(description="Bucket and prefix, such as s3://datasets/coco-like/v3/."),
    ]
    endpoint: Annotated[
        str | None,
        StringConstraints(pattern=r"^https?://[^\s/]+(/.*)?$", max_length=512),
        Field(
            description="Address of the S3 service, such as http://s3.storage.svc:7070. Without it the Secret's "
            "AWS_ENDPOINT_URL is used, and without that Amazon's."
        ),
    ] = None
    region: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=64),
        Field(description="Region that requests are signed for."),
    ] = "us-east-1"
    secret_ref: Annotated[
        SecretReference | None,
        Field(
            description="Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and, where needed, AWS_SESSION_TOKEN and "
            "AWS_ENDPOINT_URL). Without it the pod's service account is used."
        ),
    ] = None


class DatasetFormat(StrEnum):
    """How labels are written."""

    YOLO = "yolo"
    COCO = "coco"


class Dataset(ApiModel):
    """The pictures and labels that the model learns from."""

    s3: Annotated[
        S3Location | None,
        Field(description="The data set in S3. It is checked against its SHA256SUMS where it has one."),
    ] = None
    path: Annotated[
        str | None,
        StringConstraints(pattern=r"^/.*$", max_length=1024),
        Field(
            description="A folder that the pod (or, with `modelyard train`, this computer) already has, instead of S3."
        ),
    ] = None
    format: Annotated[
        DatasetFormat,
        Field(
            description="How labels are written: yolo (images/ and labels/ with a text file for each picture, and data.yaml) "
            "or coco (one JSON file)."
        ),
    ] = DatasetFormat.YOLO
    validation_split: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="Share of the training pictures set aside for validation where the data set has no validation split of "
            "its own. Which ones is decided by the seed and the pictures' names, the same on every machine.",
        ),
    ] = 0.2


class Model(ApiModel):
    """What is trained."""

    architecture: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=128),
        Field(
            description="Name of the architecture, such as yolov5nu. It is built from its architecture file and starts at random."
        ),
    ]


class OptimizerName(StrEnum):
    """An optimizer that is applied exactly as written (there is no `auto`, which would drop the learning rate)."""

    ADAMW = "AdamW"
    ADAM = "Adam"
    ADAMAX = "Adamax"
    NADAM = "NAdam"
    RADAM = "RAdam"
    RMSPROP = "RMSProp"
    SGD = "SGD"


class Optimizer(ApiModel):
    """How weights are updated."""

    name: Annotated[OptimizerName, Field(description="Which optimizer.")] = OptimizerName.ADAMW
    learning_rate: Annotated[
        float, Field(gt=0, le=10, description="Learning rate after warm-up, before the schedule lowers it.")
    ] = 1e-3
    momentum: Annotated[
        float, Field(ge=0, lt=1, description="Momentum of SGD and RMSProp; beta1 of the Adam family.")
    ] = 0.9
    weight_decay: Annotated[float, Field(ge=0, le=1, description="Weight decay.")] = 5e-4


class ScheduleName(StrEnum):
    """How the learning rate falls from its initial to its final value."""

    COSINE = "cosine"
    LINEAR = "linear"


class Schedule(ApiModel):
    """How the learning rate changes over the epochs."""

    name: Annotated[ScheduleName, Field(description="Shape of the fall.")] = ScheduleName.COSINE
    warmup_epochs: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            description="Epochs over which the learning rate rises linearly to its initial value.",
        ),
    ] = 3.0
    warmup_momentum: Annotated[float, Field(ge=0, lt=1, description="Momentum at the start of warm-up.")] = 0.8
    warmup_bias_learning_rate: Annotated[
        float, Field(ge=0, le=10, description="Learning rate of biases at the start of warm-up.")
    ] = 0.1
    final_fraction: Annotated[
        float,
        Field(gt=0, le=1, description="The last epoch's learning rate as a fraction of the initial one."),
    ] = 0.01


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


class Training(ApiModel):
    """How the model is trained, whatever its task."""

    epochs: Annotated[int, Field(ge=1, le=100_000, description="How often the whole training split is seen.")] = 100
    batch_size: Annotated[int, Field(ge=1, le=65_536, description="Pictures in one optimizer step, over all GPUs.")] = (
        16
    )
    image_size: Annotated[
        int,
        Field(
            ge=32,
            le=8192,
            multiple_of=32,
            description="Side in pixels of the square that pictures are scaled and padded to; a multiple of 32.",
        ),
    ] = 640
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
        int, Field(ge=0, le=1000, description="How many layers, counted from the input, are not trained.")
    ] = 0
    deterministic: Annotated[
        bool,
        Field(description="Use only algorithms that give the same result every time, even where they are slower."),
    ] = True


class ExportFormat(StrEnum):
    """A file format for the trained model."""

    ONNX = "onnx"
    TORCHSCRIPT = "torchscript"


class Export(ApiModel):
    """One file that the trained model is exported to, checked against the PyTorch model before it is published."""

    format: Annotated[ExportFormat, Field(description="File format.")]
    opset: Annotated[
        int | None,
        Field(ge=11, le=20, description="ONNX operator set; only for onnx. Without it, 17."),
    ] = None
    dynamic: Annotated[
        bool,
        Field(
            description="Leave batch size, height and width open instead of fixing them to the training's; only for onnx."
        ),
    ] = False
    tolerance: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            description="Largest difference allowed between this file's raw outputs and PyTorch's on validation pictures (boxes in "
            "pixels divided by the image size, scores as they are); above it the run fails.",
        ),
    ] = 1e-3


class Artifacts(ApiModel):
    """Where results go."""

    s3: Annotated[
        S3Location | None,
        Field(description="Results are written below URI/NAMESPACE/NAME/UID/ and appear there only when complete."),
    ] = None
    path: Annotated[
        str | None,
        StringConstraints(pattern=r"^/.*$", max_length=1024),
        Field(description="A folder on this computer instead of S3; only with `modelyard train`."),
    ] = None


class Toleration(ApiModel):
    """A taint that the pod accepts, as in a PodSpec."""

    key: Annotated[str, StringConstraints(max_length=316), Field(description="Key of the taint.")]
    operator: Annotated[
        str,
        StringConstraints(pattern=r"^(Exists|Equal)$", max_length=6),
        Field(description="Exists, or Equal to `value`."),
    ] = "Exists"
    value: Annotated[
        str | None, StringConstraints(max_length=63), Field(description="Value of the taint, with Equal.")
    ] = None
    effect: Annotated[
        str | None,
        StringConstraints(pattern=r"^(NoSchedule|PreferNoSchedule|NoExecute)$", max_length=16),
        Field(description="Effect of the taint; any without it."),
    ] = None


LabelValue = Annotated[str, StringConstraints(max_length=63)]
Quantity = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", min_length=1, max_length=20),
]


class Resources(ApiModel):
    """What the pod may use and where it may run."""

    gpus: Annotated[int, Field(ge=0, le=16, description="GPUs (nvidia.com/gpu) of the pod; 0 trains on the CPU.")] = 1
    gpu_type: Annotated[
        str | None,
        StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=63),
        Field(description="Kind of GPU: the value of the node label modelyard.dev/gpu-type."),
    ] = None
    cpu: Annotated[Quantity, Field(description="CPU cores, such as 4 or 500m, requested and allowed.")] = "4"
    memory: Annotated[
        Quantity,
        Field(description="Memory, such as 16Gi, requested and allowed; /dev/shm and its files count towards it."),
    ] = "16Gi"
    shared_memory: Annotated[
        Quantity,
        Field(description="Size of /dev/shm, through which the loader's processes hand over pictures."),
    ] = "2Gi"
    scratch: Annotated[
        Quantity, Field(description="Disk for the data set, checkpoints and exports while the run lives.")
    ] = "50Gi"
    queue: Annotated[
        str | None,
        StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=63),
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
        StringConstraints(pattern=r"^[^\s]+$", max_length=512),
        Field(description="Trainer image instead of the operator's default, for a team's own tasks."),
    ] = None


class Recovery(ApiModel):
    """What happens when an attempt does not end well, and how long things may take."""

    max_retries: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="New attempts after a failure that may pass. An error in the spec or the data is never retried.",
        ),
    ] = 3
    active_deadline: Annotated[
        Duration | None,
        Field(description="Time after the first start, over all attempts, after which the run fails, such as 72h."),
    ] = None
    stall_timeout: Annotated[
        Duration | None,
        Field(description="Time without any sign of progress after which the attempt is restarted."),
    ] = "30m"
    start_deadline: Annotated[
        Duration | None,
        Field(
            description="Time that an attempt may wait for a node and its image before the run fails; for ever without it."
        ),
    ] = None
    ttl_after_finished: Annotated[
        Duration | None,
        Field(
            description="Time after the end when the run's Jobs and pods are deleted (never the TrainingRun); never without it."
        ),
    ] = "24h"


class Approval(ApiModel):
    """A person's word before any GPU is used."""

    required: Annotated[bool, Field(description="Wait until `approved` is true.")] = False
    approved: Annotated[bool, Field(description="May be set at any time; the run starts once it is true.")] = False


class TrainingRunSpec(ApiModel):
    """One training of one model."""

    task: Annotated[Task, Field(description="What kind of model is trained. This version trains detection.")]
    dataset: Annotated[Dataset, Field(description="The pictures and labels that the model learns from.")]
    model: Annotated[Model, Field(description="What is trained.")]
    training: Annotated[Training, Field(description="How it is trained, whatever the task.")] = Training()
    detection: Annotated[Detection | None, Field(description="What only detection knows: losses and augmentation.")] = (
        None
    )
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
            description="Formats in the order of preference. They are exported in this order, and the first one that is published "
            "is named as the primary artifact in run.json and status.",
        ),
    ] = []
    artifacts: Annotated[Artifacts, Field(description="Where results go.")]
    resources: Annotated[Resources, Field(description="What the pod may use and where it may run.")] = Resources()
    recovery: Annotated[
        Recovery,
        Field(description="What happens when an attempt does not end well, and how long things may take."),
    ] = Recovery()
    approval: Annotated[
        Approval, Field(description="A person's word before any GPU is used. May change at any time.")
    ] = Approval()
    suspend: Annotated[
        bool,
        Field(description="True frees the GPU and keeps the run; false lets it go on. May change at any time."),
    ] = False
