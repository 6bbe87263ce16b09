"""What is refused, and with which sentence: the table for the API server and for the laptop."""

from __future__ import annotations

from dataclasses import dataclass

from tests.api.manifests import ABSENT, CLASSIFICATION, FACE_ID, REID, TABLE, Changes

A_NAME = (
    "must be a Kubernetes name: lower-case letters, digits, hyphens and dots, and on both sides of each dot a letter "
    "or a digit"
)
NO_WAY_OUT = "must not have . or .. for a folder"
A_BUCKET = "must be s3://BUCKET/PREFIX, such as s3://datasets/digits/v1/"
AN_ADDRESS = "must be http://HOST:PORT or https://HOST:PORT"
A_REGION = "must be a region such as us-east-1"
A_FOLDER = "must be a path that begins with /"
A_LABEL = "must be the value of a label, such as nvidia-l4"
BYTES = "must be a number of bytes above zero, such as 16Gi"
A_TIME = "must be a length of time above zero, such as 90s, 30m or 1h30m"
WITHIN_A_VOLUME = "must be a path within the volume, without . and .., such as weights/resnet18.pth"
A_RUN_NAME = "must be at most 63 lower-case letters, digits and hyphens, since Jobs and folders are named after it"
IMX500 = {"format": "imx500", "precision": "int8"}
QAT = {"format": "onnx", "precision": "int8", "qat": True}
TWICE = "must not ask for the same format, precision, opset, dynamic and qat twice"
A_PATH = "must be a path below the data set's folder, such as metadata/metadata.json"
FIXED = "is fixed once the run has started; create a new TrainingRun with another name"


@dataclass(frozen=True)
class Refusal:
    """A change that makes a right manifest wrong in one way.

    Attributes:
        what: what is wrong with it, as the name of the test.
        path: the field that the refusal names.
        sentence: what would be right, to the letter.
        in_a_cluster_only: `modelyard train` on a laptop takes it.
    """

    what: str
    changes: Changes
    path: str
    sentence: str
    in_a_cluster_only: bool = False

    def __str__(self) -> str:
        return self.what


BY_RULES = (
    Refusal("a name with a dot", {"metadata.name": "a.b"}, "metadata.name", A_RUN_NAME),
    Refusal("a name of 64 letters", {"metadata.name": "a" * 64}, "metadata.name", A_RUN_NAME),
    # Where the data comes from and the results go
    Refusal(
        "a data set without a source",
        {"spec.dataset.s3": ABSENT},
        "spec.dataset",
        "must name one source: s3, path or volume",
    ),
    Refusal(
        "a data set with two sources",
        {"spec.dataset.path": "/data"},
        "spec.dataset",
        "must name one source: s3, path or volume",
    ),
    Refusal(
        "a data set in a relative folder",
        {"spec.dataset": {"path": "data/digits"}},
        "spec.dataset.path",
        A_FOLDER,
    ),
    Refusal("artifacts nowhere", {"spec.artifacts": {}}, "spec.artifacts", "must name where results go, as s3"),
    Refusal(
        "artifacts in two places",
        {"spec.artifacts.path": "/results"},
        "spec.artifacts",
        "must name one place: either s3 or path",
    ),
    Refusal(
        "artifacts in a folder of the pod",
        {"spec.artifacts": {"path": "/results"}},
        "spec.artifacts.path",
        "is for `modelyard train` on a computer of your own; in a cluster use s3",
        in_a_cluster_only=True,
    ),
    Refusal(
        "artifacts in a relative folder",
        {"spec.artifacts": {"path": "results"}},
        "spec.artifacts.path",
        A_FOLDER,
    ),
    *(
        Refusal(f"{block} with {wrong}", {f"spec.{block}.s3.{field}": value}, f"spec.{block}.s3.{field}", sentence)
        for block in ("dataset", "artifacts")
        for wrong, field, value, sentence in (
            ("an address that is not S3's", "uri", "https://datasets/digits", A_BUCKET),
            ("a bucket of two letters", "uri", "s3://ab/digits", A_BUCKET),
            ("a way out of the bucket", "uri", "s3://datasets/../models/", NO_WAY_OUT),
            ("a folder that is none", "uri", "s3://datasets/./digits", NO_WAY_OUT),
            ("a Secret's name with nothing between its dots", "secretRef.name", "my..secret", A_NAME),
            ("a bucket in capitals", "uri", "s3://Datasets/digits", A_BUCKET),
            ("an endpoint without a scheme", "endpoint", "s3.storage.svc:7070", AN_ADDRESS),
            ("an endpoint with a space", "endpoint", "http://s3.storage.svc:7070/a b", AN_ADDRESS),
            ("an endpoint with a no-break space", "endpoint", "http://s3.storage.svc/a\u00a0b", AN_ADDRESS),
            ("an endpoint with a vertical tab", "endpoint", "http://s3.storage.svc/a\vb", AN_ADDRESS),
            ("a region in capitals", "region", "US-EAST-1", A_REGION),
            ("a Secret's name in capitals", "secretRef.name", "My_Secret", A_NAME),
        )
    ),
    *(
        Refusal(f"a volume of {block} with {wrong}", {f"spec.{block}": {"volume": volume}}, place, sentence)
        for block in ("dataset", "model.pretrained", "model.from")
        for wrong, volume, place, sentence in (
            ("a claim in capitals", {"claimName": "Weights"}, f"spec.{block}.volume.claimName", A_NAME),
            ("a way out", {"claimName": "a", "path": "a/../../b"}, f"spec.{block}.volume.path", WITHIN_A_VOLUME),
            ("a path of the pod", {"claimName": "a", "path": "/a.pth"}, f"spec.{block}.volume.path", WITHIN_A_VOLUME),
        )
    ),
    Refusal(
        "an architecture with a path",
        {"spec.model.architecture": "../yolov5nu"},
        "spec.model.architecture",
        "must be the name of an architecture, such as yolov5nu",
    ),
    # Training
    Refusal(
        "a warm-up as long as the training",
        {"spec.training.epochs": 10, "spec.training.schedule.warmupEpochs": 10},
        "spec.training.schedule.warmupEpochs",
        "must leave at least one of spec.training.epochs after the warm-up (3 by default); 0 is no warm-up",
    ),
    Refusal(
        "a warm-up that leaves half an epoch",
        {"spec.training.epochs": 3, "spec.training.schedule.warmupEpochs": 2.5},
        "spec.training.schedule.warmupEpochs",
        "must leave at least one of spec.training.epochs after the warm-up (3 by default); 0 is no warm-up",
    ),
    *(
        Refusal(
            f"{amp} without a GPU",
            {"spec.training.amp": amp, "spec.resources.gpus": 0},
            "spec.training.amp",
            "must be disabled without a GPU; or set spec.resources.gpus to 1",
        )
        for amp in ("bf16", "fp16")
    ),
    Refusal(
        "detection's block with another task",
        {"spec.task": "classification", "spec.detection": {}},
        "spec.detection",
        "is for task detection only; leave it out",
    ),
    # Tasks
    Refusal(
        "classification's block with another task",
        {"spec.classification": {}},
        "spec.classification",
        "is for task classification only; leave it out",
    ),
    Refusal(
        "face-id's block with another task",
        {"spec.faceId": {}},
        "spec.faceId",
        "is for task face-id only; leave it out",
    ),
    Refusal(
        "a detection of image folders",
        {"spec.dataset.format": "image-folder"},
        "spec.dataset.format",
        "must be yolo or coco for detection",
    ),
    Refusal(
        "a classification of YOLO's labels",
        {**CLASSIFICATION, "spec.dataset.format": "yolo"},
        "spec.dataset.format",
        "must be image-folder or table for classification",
    ),
    Refusal(
        "identities in a table",
        {**FACE_ID, "spec.dataset.format": "table"},
        "spec.dataset.format",
        "must be image-folder for face-id",
    ),
    *(
        Refusal(
            f"a {field} of a linear head",
            {**FACE_ID, "spec.faceId": {"head": "linear", field: 0.5}},
            f"spec.faceId.{field}",
            "is for arcface and cosface only; leave it out",
        )
        for field in ("scale", "margin")
    ),
    *(
        Refusal(
            f"identities held out {how}",
            {**FACE_ID, "spec.faceId.heldOutIdentities": held_out},
            "spec.faceId.heldOutIdentities",
            "must say how many identities: either share or count",
        )
        for how, held_out in {"without a number": {}, "by share and count": {"share": 0.1, "count": 8}}.items()
    ),
    Refusal(
        "a table that nobody describes",
        {**CLASSIFICATION, "spec.dataset.format": "table"},
        "spec.dataset.format",
        "needs spec.classification.table, which says what the table's fields mean",
    ),
    Refusal(
        "image folders with a table",
        {**CLASSIFICATION, "spec.classification": {"table": {"label": {"field": "type"}}}},
        "spec.classification.table",
        "is for dataset.format table only; leave it out",
    ),
    Refusal(
        "pictures to validate and test on, and none to train on",
        {**CLASSIFICATION, "spec.dataset.validationSplit": 0.5, "spec.classification.testSplit": 0.5},
        "spec.classification.testSplit",
        "must leave pictures to train on: spec.dataset.validationSplit and it must be below 1 together",
    ),
    Refusal(
        "a side that no detector's stride divides",
        {"spec.training.imageSize": 650},
        "spec.training.imageSize",
        "must be a multiple of 32 for detection, whose networks halve pictures five times",
    ),
    Refusal(
        "a classification of pictures as large as detection's",
        {**CLASSIFICATION, "spec.training.imageSize": ABSENT},
        "spec.training.imageSize",
        "must be said, since 640 is for detection only; 224 fits most architectures",
    ),
    # Weights to start from, and what is done with them
    Refusal(
        "an evaluation of nothing",
        {"spec.mode": "evaluate"},
        "spec.mode",
        "needs weights unless it is train: name them in spec.model.from or spec.model.pretrained",
    ),
    Refusal(
        "an export to no format",
        {"spec.mode": "export", "spec.model.from": {"run": "digits"}, "spec.export": []},
        "spec.export",
        "must name at least one format where spec.mode is export",
    ),
    Refusal(
        "two starts",
        {"spec.model.from": {"run": "digits"}, "spec.model.pretrained": {"path": "/weights/a.pth"}},
        "spec.model.pretrained",
        "must not be given together with spec.model.from: there is one start",
    ),
    Refusal(
        "pretrained weights from nowhere",
        {"spec.model.pretrained": {}},
        "spec.model.pretrained",
        "must name one source: s3, path, volume or url",
    ),
    Refusal(
        "pretrained weights from two places",
        {"spec.model.pretrained": {"path": "/weights/a.pth", "s3": {"uri": "s3://weights/a/"}}},
        "spec.model.pretrained",
        "must name one source: s3, path, volume or url",
    ),
    Refusal(
        "a download that nobody has pinned",
        {"spec.model.pretrained": {"url": "https://example.com/a.pth"}},
        "spec.model.pretrained.sha256",
        "must be given with url: what comes from elsewhere has to be known beforehand",
    ),
    Refusal(
        "a download in the clear",
        {"spec.model.pretrained": {"url": "http://example.com/a.pth", "sha256": "0" * 64}},
        "spec.model.pretrained.url",
        "must be an address that begins with https://",
    ),
    Refusal(
        "a short digest",
        {"spec.model.pretrained": {"path": "/weights/a.pth", "sha256": "4a5b"}},
        "spec.model.pretrained.sha256",
        "must be a SHA-256: 64 hexadecimal digits, as sha256sum prints them",
    ),
    Refusal(
        "weights below the folder of the pod",
        {"spec.model.pretrained": {"path": "a.pth"}},
        "spec.model.pretrained.path",
        A_FOLDER,
    ),
    *(
        Refusal(
            f"a {what} of {field}",
            {f"spec.model.{field}": {"s3": wrong}},
            f"spec.model.{field}.s3.{place}",
            sentence,
        )
        for field in ("pretrained", "from")
        for what, wrong, place, sentence in (
            ("bucket without a scheme", {"uri": "weights/a/"}, "uri", A_BUCKET),
            ("way out of the bucket", {"uri": "s3://weights/../a/"}, "uri", NO_WAY_OUT),
            ("endpoint without a scheme", {"uri": "s3://weights/", "endpoint": "s3:7070"}, "endpoint", AN_ADDRESS),
            ("region of capitals", {"uri": "s3://weights/", "region": "EU"}, "region", A_REGION),
            (
                "secret of capitals",
                {"uri": "s3://weights/", "secretRef": {"name": "S3"}},
                "secretRef.name",
                A_NAME,
            ),
        )
    ),
    Refusal(
        "another run's weights from nowhere",
        {"spec.model.from": {"weights": "last"}},
        "spec.model.from",
        "must name one source: run, s3, path or volume",
    ),
    Refusal(
        "a run in another namespace",
        {"spec.model.from": {"run": "vision/digits"}},
        "spec.model.from.run",
        "must be the name of a TrainingRun in the same namespace",
    ),
    Refusal(
        "a folder of results below the pod's", {"spec.model.from": {"path": "a"}}, "spec.model.from.path", A_FOLDER
    ),
    Refusal(
        "a frozen backbone and frozen layers",
        {"spec.training.freezeBackbone": True, "spec.training.freeze": 2},
        "spec.training.freezeBackbone",
        "freezes more than spec.training.freeze does; leave one of them out",
    ),
    Refusal(
        "a thaw of nothing",
        {"spec.training.freezeEpochs": 2},
        "spec.training.freezeEpochs",
        "needs spec.training.freezeBackbone or freeze, which say what is frozen",
    ),
    Refusal(
        "a thaw after the last epoch",
        {"spec.training": {"epochs": 5, "freeze": 2, "freezeEpochs": 5}},
        "spec.training.freezeEpochs",
        "must leave at least one of spec.training.epochs in which everything is trained; 0 freezes for all",
    ),
    *(
        Refusal(
            f"{field} of a classifier",
            {**CLASSIFICATION, f"spec.training.schedule.{field}": 0.1},
            f"spec.training.schedule.{field}",
            "is for task detection only; leave it out",
        )
        for field in ("warmupMomentum", "warmupBiasLearningRate")
    ),
    *(
        Refusal(
            f"{field} of a detector",
            {f"spec.training.{field}": 0.99},
            f"spec.training.{field}",
            "is not for detection; leave it out",
        )
        for field in ("optimizer.beta2", "optimizer.eps", "gradientClip", "emaDecay")
    ),
    Refusal(
        "a detector's AMSGrad",
        {"spec.training.optimizer.amsgrad": True},
        "spec.training.optimizer.amsgrad",
        "is not for detection; leave it out",
    ),
    Refusal(
        "a detector's warm restarts",
        {"spec.training.schedule.restartEpochs": 10},
        "spec.training.schedule.restartEpochs",
        "is not for detection; leave it out",
    ),
    Refusal(
        "a detector's lowest rate",
        {"spec.training.schedule.etaMin": 1e-6},
        "spec.training.schedule.etaMin",
        "is not for detection; leave it out",
    ),
    Refusal(
        "a detector that is looked at every other epoch",
        {"spec.training.evaluateEvery": 2},
        "spec.training.evaluateEvery",
        "must be 1 for detection, which looks at the validation pictures after each epoch",
    ),
    Refusal(
        "a detector that is compiled",
        {"spec.training.compile": True},
        "spec.training.compile",
        "must be false for detection, which ultralytics trains as it is",
    ),
    Refusal(
        "a detector whose rate falls in steps",
        {"spec.training.schedule": {"name": "single-step", "stepEpochs": 20}},
        "spec.training.schedule.name",
        "must be cosine or linear for detection",
    ),
    *(
        Refusal(
            f"{name} without {field}",
            {**REID, "spec.training.schedule": {"name": name}},
            f"spec.training.schedule.{field}",
            f"must be said for {name}, and left out for any other schedule",
        )
        for name, field in (("single-step", "stepEpochs"), ("multi-step", "milestones"))
    ),
    Refusal(
        "a factor of a curve without steps",
        {**REID, "spec.training.schedule": {"gamma": 0.5}},
        "spec.training.schedule.gamma",
        "is for single-step and multi-step only; leave it out",
    ),
    *(
        Refusal(
            f"{field} of a line",
            {**REID, "spec.training.schedule": {"name": "linear", field: value}},
            f"spec.training.schedule.{field}",
            "is for cosine only; leave it out",
        )
        for field, value in (("restartEpochs", 5), ("etaMin", 1e-6))
    ),
    Refusal(
        "a rate that falls upwards",
        {**REID, "spec.training.schedule.etaMin": 0.1},
        "spec.training.schedule.etaMin",
        "must be below spec.training.optimizer.learningRate, from which the rate falls to it",
    ),
    Refusal(
        "SGD with an eps",
        {**REID, "spec.training.optimizer": {"name": "SGD", "eps": 1e-8}},
        "spec.training.optimizer.eps",
        "is not for SGD, which divides by nothing; leave it out",
    ),
    Refusal(
        "AMSGrad of another optimizer",
        {**REID, "spec.training.optimizer": {"name": "RAdam", "amsgrad": True}},
        "spec.training.optimizer.amsgrad",
        "is for AdamW and Adam only; leave it out",
    ),
    # Re-identification
    Refusal(
        "re-identification's block with another task",
        {"spec.reid": {}},
        "spec.reid",
        "is for task reid only; leave it out",
    ),
    Refusal(
        "a re-identification by image folders",
        {**REID, "spec.dataset.format": "image-folder"},
        "spec.dataset.format",
        "must be market1501 for reid",
    ),
    Refusal(
        "squares of persons",
        {**REID, "spec.training.imageSize": 256},
        "spec.training.imageSize",
        "is not for reid, whose pictures are spec.reid.height x width; leave it out",
    ),
    *(
        Refusal(
            f"a batch that {what} does not divide",
            {**REID, **changes},
            "spec.training.batchSize",
            "must be a multiple of what spec.reid.sampler puts together: numInstances (4 by default) times numDatasets "
            "for identity, numCams for camera, numDatasets for dataset, and kTfm times that",
        )
        for what, changes in (
            ("four", {"spec.training.batchSize": 30}),
            ("numInstances", {"spec.reid.sampler.numInstances": 5}),
            ("kTfm", {"spec.reid.kTfm": 3}),
            ("numDatasets", {"spec.reid.sampler.numDatasets": 3}),
            ("numCams", {"spec.reid": {"loss": {"weightT": 0}, "sampler": {"name": "camera", "numCams": 6}}}),
        )
    ),
    Refusal(
        "triplets of any pictures",
        {**REID, "spec.reid.sampler": {"name": "random"}},
        "spec.reid.sampler.name",
        "must be identity for the triplet loss, which compares pictures of one person in a batch; or set loss.weightT "
        "to 0",
    ),
    *(
        Refusal(
            f"the sampler {name} without {field}",
            {**REID, "spec.reid": {"loss": {"weightT": 0}, "sampler": {"name": name}}},
            f"spec.reid.sampler.{field}",
            f"must be said for the sampler {name}, such as {example}",
        )
        for name, field, example in (("camera", "numCams", 4), ("dataset", "numDatasets", 2))
    ),
    *(
        Refusal(
            f"{field} of any pictures",
            {**REID, "spec.reid": {"loss": {"weightT": 0}, "sampler": {"name": "random", field: 2}}},
            f"spec.reid.sampler.{field}",
            f"is for the samplers identity and {name} only; leave it out",
        )
        for name, field in (("camera", "numCams"), ("dataset", "numDatasets"))
    ),
    *(
        Refusal(
            f"{field} elsewhere",
            {**REID, f"spec.reid.{field}": ["market1501", "/etc"]},
            f"spec.reid.{field}[1]",
            "must be a path below the data set's folder, such as metadata/metadata.json",
        )
        for field in ("sources", "targets")
    ),
    Refusal(
        "no loss at all",
        {**REID, "spec.reid.loss": {"weightT": 0, "weightX": 0}},
        "spec.reid.loss",
        "must leave a loss: weightT or weightX must be above 0",
    ),
    Refusal(
        "SGD with a second beta",
        {**CLASSIFICATION, "spec.training.optimizer": {"name": "SGD", "beta2": 0.999}},
        "spec.training.optimizer.beta2",
        "is for AdamW, Adam, Adamax, NAdam and RAdam only; leave it out",
    ),
    Refusal(
        "mirrored pictures of angles",
        {**TABLE, "spec.classification.augment": {}, "spec.classification.table.label.binDegrees": 3},
        "spec.classification.augment",
        "must set horizontalFlip and verticalFlip to 0 and leave out randAugment, which turns pictures: with "
        "binDegrees their angle would be another one",
    ),
    Refusal(
        "bins that do not fill the circle",
        {**TABLE, "spec.classification.table.label.binDegrees": 7},
        "spec.classification.table.label.binDegrees",
        "must divide 360, such as 3 for 120 classes",
    ),
    Refusal(
        "bins with a label of their own for what is missing",
        {**TABLE, "spec.classification.table.label": {"field": "angle", "binDegrees": 3, "missing": "none"}},
        "spec.classification.table.label.binDegrees",
        "makes classes of angles by itself; leave out numbers, exceptions and missing",
    ),
    Refusal(
        "years with a label of their own for what is missing",
        {
            **TABLE,
            "spec.classification.table.label": {
                "field": "year",
                "numbers": {"first": 1909, "last": 2024},
                "missing": "none",
            },
        },
        "spec.classification.table.label.numbers",
        "makes classes of whole numbers by itself; leave out exceptions and missing",
    ),
    Refusal(
        "years that end before they begin",
        {**TABLE, "spec.classification.table.label.numbers": {"first": 2024, "last": 1909}},
        "spec.classification.table.label.numbers",
        "must have `first` below `last`, and at most 10000 numbers",
    ),
    *(
        Refusal(
            f"{field} with an absolute path",
            {**TABLE, f"spec.classification.{field}": "/etc/passwd"},
            f"spec.classification.{field}",
            A_PATH,
        )
        for field in ("table.file", "table.picture")
    ),
    Refusal(
        "regions with an absolute path",
        {**TABLE, "spec.classification.table.roi": {"file": "/etc/passwd", "region": "date"}},
        "spec.classification.table.roi.file",
        A_PATH,
    ),
    *(
        Refusal(
            f"rectangles with {field}",
            {"spec.detection": {"rect": True, "augment": {"mosaic": 0, field: 0.5}}},
            "spec.detection.rect",
            "needs augment.mosaic, augment.mixup and augment.cutmix to be 0, since it joins no pictures",
        )
        for field in ("mosaic", "mixup", "cutmix")
    ),
    # Export
    Refusal(
        "an opset for TorchScript",
        {"spec.export": [{"format": "onnx"}, {"format": "torchscript", "opset": 17}]},
        "spec.export[1].opset",
        "is for format onnx only; leave it out",
    ),
    Refusal(
        "open shapes for TorchScript",
        {"spec.export": [{"format": "torchscript", "dynamic": True}]},
        "spec.export[0].dynamic",
        "is for format onnx only; leave it out or set it to false",
    ),
    Refusal(
        "the same export twice",
        {"spec.export": [{"format": "onnx", "opset": 14}, {"format": "onnx", "opset": 14, "tolerance": 0.01}]},
        "spec.export",
        TWICE,
    ),
    Refusal(
        "the default opset beside the same opset",
        {"spec.export": [{"format": "onnx"}, {"format": "onnx", "opset": 17}]},
        "spec.export",
        TWICE,
    ),
    Refusal(
        "the same precision twice",
        {"spec.export": [{"format": "onnx", "precision": "int8"}, {"format": "onnx", "precision": "int8"}]},
        "spec.export",
        TWICE,
    ),
    Refusal(
        "TorchScript in 8 bits",
        {"spec.export": [{"format": "torchscript", "precision": "int8"}]},
        "spec.export[0].precision",
        "must be fp32 for torchscript",
    ),
    *(
        Refusal(
            f"{form} in 8 bits",
            {"spec.export": [{"format": form, "precision": "int8"}]},
            "spec.export[0].precision",
            f"must be fp32 or fp16 for {form}",
        )
        for form in ("safetensors", "gguf")
    ),
    Refusal(
        "what every image can make, required",
        {"spec.export": [{"format": "onnx", "required": True}]},
        "spec.export[0].required",
        "is for formats tensorrt and imx500 only; leave it out or set it to false",
    ),
    Refusal(
        "8 bits in operators that know no channels",
        {"spec.export": [{"format": "onnx", "precision": "int8", "opset": 12}]},
        "spec.export[0].opset",
        "must be 13 or more for precision int8",
    ),
    Refusal(
        "calibration of what has no scales",
        {"spec.export": [{"format": "onnx", "precision": "fp16", "calibration": {"pictures": 64}}]},
        "spec.export[0].calibration",
        "is for precision int8 only; leave it out",
    ),
    Refusal(
        "a tolerance for outputs that are other numbers",
        {"spec.export": [{"format": "onnx", "precision": "int8", "tolerance": 0.5}]},
        "spec.export[0].tolerance",
        "is not for precision int8, whose outputs are other numbers; leave it out, maxMetricDrop decides",
    ),
    Refusal(
        "a camera's file of a detector",
        {"spec.export": [IMX500]},
        "spec.export",
        "must not ask for imx500 unless task is classification; {format: onnx, precision: int8} would be right",
    ),
    Refusal(
        "a camera's file in 32 bits",
        {**CLASSIFICATION, "spec.export": [{"format": "imx500"}]},
        "spec.export[0].precision",
        "must be int8 for imx500",
    ),
    Refusal(
        "ranges that a camera does not have",
        {**CLASSIFICATION, "spec.export": [{**IMX500, "calibration": {"method": "entropy"}}]},
        "spec.export[0].calibration",
        "can say pictures alone for imx500: its ranges are powers of two around all that was seen, and its weights "
        "always have a scale for each channel",
    ),
    Refusal(
        "training in 8 bits for a file that is not",
        {**CLASSIFICATION, "spec.training.quantization": {}, "spec.export": [{"format": "torchscript", "qat": True}]},
        "spec.export[0].qat",
        "is for format onnx with precision int8 only; leave it out or set it to false",
    ),
    Refusal(
        "calibration of ranges that were trained",
        {**CLASSIFICATION, "spec.training.quantization": {}, "spec.export": [{**QAT, "calibration": {}}]},
        "spec.export[0].calibration",
        "is not for qat, whose ranges were found in training; leave it out",
    ),
    Refusal(
        "training in 8 bits for no file",
        {**CLASSIFICATION, "spec.training.quantization": {"epochs": 3}},
        "spec.training.quantization",
        "needs an export that it is for, such as {format: onnx, precision: int8, qat: true} in spec.export",
    ),
    Refusal(
        "a file of a training in 8 bits that there is not",
        {**CLASSIFICATION, "spec.export": [QAT]},
        "spec.export",
        "must not ask for qat without spec.training.quantization, which trains for it",
    ),
    Refusal(
        "training in 8 bits where nothing is trained",
        {
            **CLASSIFICATION,
            "spec.mode": "export",
            "spec.model.from": {"run": "earlier"},
            "spec.training.quantization": {},
            "spec.export": [QAT],
        },
        "spec.training.quantization",
        "is for mode train only, since it trains; leave it out",
    ),
    Refusal(
        "training in 8 bits on two GPUs",
        {
            **CLASSIFICATION,
            "spec.training.quantization": {},
            "spec.training.batchSize": 16,
            "spec.resources.gpus": 2,
            "spec.export": [QAT],
        },
        "spec.training.quantization",
        "trains on one GPU at most; leave it out, or set spec.resources.gpus to 1",
    ),
    Refusal(
        "training in 8 bits of a detector",
        {"spec.training.quantization": {}, "spec.export": [QAT]},
        "spec.training.quantization",
        "is not for detection; leave it out",
    ),
    Refusal(
        "training in 8 bits of what is frozen for ever",
        {
            **CLASSIFICATION,
            "spec.training.quantization": {},
            "spec.training.freezeBackbone": True,
            "spec.export": [QAT],
        },
        "spec.training.quantization",
        "trains all of the network, and spec.training.freeze or freezeBackbone keeps parts of it as they are: leave "
        "one of them out, or say in freezeEpochs when they thaw",
    ),
    Refusal(
        "a preference for a format that is not exported",
        {"spec.formatPriorities": ["torchscript"]},
        "spec.formatPriorities",
        "must name formats that spec.export asks for",
    ),
    Refusal(
        "a format preferred twice",
        {"spec.formatPriorities": ["onnx", "onnx"]},
        "spec.formatPriorities",
        "must not name a format twice",
    ),
    # Resources
    Refusal(
        "a batch that its GPUs cannot share",
        {"spec.resources.gpus": 4, "spec.training.batchSize": 18},
        "spec.training.batchSize",
        "must be a multiple of spec.resources.gpus: each GPU takes an equal share of the batch",
    ),
    Refusal(
        "a kind of GPU without a GPU",
        {"spec.resources": {"gpus": 0, "gpuType": "nvidia-l4"}},
        "spec.resources.gpuType",
        "needs a GPU: set spec.resources.gpus to 1, or leave it out",
    ),
    Refusal("a kind of GPU with a space", {"spec.resources.gpuType": "nvidia l4"}, "spec.resources.gpuType", A_LABEL),
    Refusal(
        "no cores",
        {"spec.resources.cpu": "0"},
        "spec.resources.cpu",
        "must be a number of cores above zero, such as 4 or 500m",
    ),
    Refusal("memory in words", {"spec.resources.memory": "16 GB"}, "spec.resources.memory", BYTES),
    Refusal("no memory", {"spec.resources.memory": "0Gi"}, "spec.resources.memory", BYTES),
    Refusal("thousandths of bytes", {"spec.resources.scratch": "500m"}, "spec.resources.scratch", BYTES),
    Refusal("negative shared memory", {"spec.resources.sharedMemory": "-1Gi"}, "spec.resources.sharedMemory", BYTES),
    Refusal(
        "shared memory as large as the memory",
        {"spec.resources.memory": "2048Mi", "spec.resources.sharedMemory": "2Gi"},
        "spec.resources.sharedMemory",
        "must be less than spec.resources.memory, which it is a part of",
    ),
    Refusal(
        "a queue in capitals",
        {"spec.resources.queue": "GPUs"},
        "spec.resources.queue",
        "must be the name of a LocalQueue, such as gpus",
    ),
    Refusal(
        "a service account in capitals",
        {"spec.resources.serviceAccountName": "Trainer"},
        "spec.resources.serviceAccountName",
        A_NAME,
    ),
    Refusal(
        "a priority class with an underscore",
        {"spec.resources.priorityClassName": "high_priority"},
        "spec.resources.priorityClassName",
        A_NAME,
    ),
    Refusal(
        "a node label with a space in its value",
        {"spec.resources.nodeSelector": {"zone": "a b"}},
        "spec.resources.nodeSelector[zone]",
        A_LABEL,
    ),
    Refusal(
        "a node label with a space in its key",
        {"spec.resources.nodeSelector": {"a zone": "b"}},
        "spec.resources.nodeSelector",
        "must have keys that are names of labels, such as topology.kubernetes.io/zone",
    ),
    Refusal(
        "a node label whose prefix is no domain",
        {"spec.resources.nodeSelector": {"example..com/zone": "b"}},
        "spec.resources.nodeSelector",
        "must have keys that are names of labels, such as topology.kubernetes.io/zone",
    ),
    Refusal(
        "a node label whose prefix is too long",
        {"spec.resources.nodeSelector": {"a" * 254 + "/zone": "b"}},
        "spec.resources.nodeSelector",
        "must have keys that are names of labels, such as topology.kubernetes.io/zone",
    ),
    Refusal(
        "two words on the kind of GPU",
        {"spec.resources": {"gpuType": "nvidia-l4", "nodeSelector": {"modelyard.dev/gpu-type": "nvidia-t4"}}},
        "spec.resources.nodeSelector",
        "must leave out modelyard.dev/gpu-type, which gpuType sets",
    ),
    Refusal(
        "a toleration without a key",
        {"spec.resources.tolerations": [{"key": ""}]},
        "spec.resources.tolerations[0].key",
        "must be the key of a taint, such as nvidia.com/gpu",
    ),
    Refusal(
        "a toleration of any value with a value",
        {"spec.resources.tolerations": [{"key": "gpu", "operator": "Exists", "value": "yes"}]},
        "spec.resources.tolerations[0].value",
        "is for operator Equal only; leave it out",
    ),
    Refusal(
        "a toleration of a value that no label can have",
        {"spec.resources.tolerations": [{"key": "gpu", "operator": "Equal", "value": "a b"}]},
        "spec.resources.tolerations[0].value",
        A_LABEL,
    ),
    Refusal(
        "an image with a space",
        {"spec.resources.image": "team/trainer: 1.2"},
        "spec.resources.image",
        "must be an image such as registry.example.com/team/trainer:1.2",
    ),
    # Checkpoints
    *(
        Refusal(f"checkpoints {wrong}", {"spec.checkpoints.every": value}, "spec.checkpoints.every", A_TIME)
        for wrong, value in (("every 0 seconds", "0s"), ("once a day", "1d"), ("by a number", "300"))
    ),
    # Recovery
    *(
        Refusal(f"{field} {wrong}", {f"spec.recovery.{field}": value}, f"spec.recovery.{field}", A_TIME)
        for field in ("activeDeadline", "stallTimeout", "startDeadline")
        for wrong, value in (("in days", "3d"), ("of nothing", "0s"), ("in the wrong order", "30m1h"))
    ),
    Refusal(
        "another learning rate for steps that stay as large",
        {"spec.recovery.oom.learningRate": "scale"},
        "spec.recovery.oom.learningRate",
        "must be keep, since steps of as many pictures as before need no other; or set keepEffectiveBatch to false",
    ),
    Refusal(
        "ttlAfterFinished without a unit",
        {"spec.recovery.ttlAfterFinished": "3600"},
        "spec.recovery.ttlAfterFinished",
        "must be a length of time such as 90s, 30m or 1h30m",
    ),
)
"""Refused by a CEL rule in the cluster and by the same rule in Python on the laptop, with the same sentence."""


BY_THE_SCHEMA = (
    Refusal("no spec", {"spec": ABSENT}, "spec", "Required value"),
    Refusal("no task", {"spec.task": ABSENT}, "spec.task", "Required value"),
    Refusal("no data set", {"spec.dataset": ABSENT}, "spec.dataset", "Required value"),
    Refusal("no model", {"spec.model": ABSENT}, "spec.model", "Required value"),
    Refusal("no artifacts", {"spec.artifacts": ABSENT}, "spec.artifacts", "Required value"),
    Refusal("no epochs", {"spec.training.epochs": 0}, "spec.training.epochs", "should be greater than or equal to 1"),
    Refusal("half an epoch", {"spec.training.epochs": 0.5}, "spec.training.epochs", "must be of type integer"),
    Refusal("epochs as a text", {"spec.training.epochs": "3"}, "spec.training.epochs", "must be of type integer"),
    Refusal(
        "two sides of a picture",
        {"spec.training.imageSize": [640, 480]},
        "spec.training.imageSize",
        "must be of type integer",
    ),
    Refusal(
        "a picture of seven pixels",
        {"spec.training.imageSize": 7},
        "spec.training.imageSize",
        "should be greater than or equal to 8",
    ),
    Refusal(
        "an optimizer that drops the learning rate",
        {"spec.training.optimizer.name": "auto"},
        "spec.training.optimizer.name",
        'supported values: "AdamW", "Adam", "Adamax", "NAdam", "RAdam", "RMSProp", "SGD"',
    ),
    Refusal(
        "a learning rate of zero",
        {"spec.training.optimizer.learningRate": 0},
        "spec.training.optimizer.learningRate",
        "should be greater than 0",
    ),
    Refusal(
        "a learning rate above one",
        {"spec.training.optimizer.learningRate": 1.5},
        "spec.training.optimizer.learningRate",
        "should be less than or equal to 1",
    ),
    Refusal(
        "a momentum of one",
        {"spec.training.optimizer.momentum": 1},
        "spec.training.optimizer.momentum",
        "should be less than 1",
    ),
    Refusal(
        "all pictures for validation",
        {"spec.dataset.validationSplit": 1},
        "spec.dataset.validationSplit",
        "should be less than 1",
    ),
    Refusal("labels as VOC", {"spec.dataset.format": "voc"}, "spec.dataset.format", 'supported values: "yolo", "coco"'),
    Refusal(
        "a probability above one",
        {"spec.detection.augment.mosaic": 1.1},
        "spec.detection.augment.mosaic",
        "should be less than or equal to 1",
    ),
    Refusal(
        "a negative weight of a loss",
        {"spec.detection.loss.box": -1},
        "spec.detection.loss.box",
        "should be greater than or equal to 0",
    ),
    Refusal(
        "an opset of the past",
        {"spec.export": [{"format": "onnx", "opset": 7}]},
        "spec.export[0].opset",
        "should be greater than or equal to 11",
    ),
    Refusal(
        "a format that is not exported to",
        {"spec.export": [{"format": "coreml"}]},
        "spec.export[0].format",
        'supported values: "onnx", "torchscript", "safetensors", "gguf", "tensorrt"',
    ),
    Refusal("an export without a format", {"spec.export": [{"opset": 17}]}, "spec.export[0].format", "Required value"),
    Refusal("17 GPUs", {"spec.resources.gpus": 17}, "spec.resources.gpus", "should be less than or equal to 16"),
    Refusal("cores as a number", {"spec.resources.cpu": 4}, "spec.resources.cpu", "must be of type string"),
    Refusal(
        "an effect that taints do not have",
        {"spec.resources.tolerations": [{"key": "gpu", "effect": "Never"}]},
        "spec.resources.tolerations[0].effect",
        'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ),
    Refusal(
        "shared memory and memory that are both the most that Kubernetes counts to",
        {"spec.resources.memory": "999999Pi", "spec.resources.sharedMemory": "99999Pi"},
        "spec.resources.sharedMemory",
        "must be less than spec.resources.memory, which it is a part of",
    ),
    Refusal("suspend as a text", {"spec.suspend": "yes"}, "spec.suspend", "must be of type boolean"),
    Refusal(
        "101 retries",
        {"spec.recovery.maxRetries": 101},
        "spec.recovery.maxRetries",
        "should be less than or equal to 100",
    ),
    *(
        Refusal(f"recovery {what} {value}", {f"spec.recovery.{what}": value}, f"spec.recovery.{what}", sentence)
        for what, value, sentence in (
            ("oom.factor", 1, "should be less than 1"),
            ("oom.factor", 0, "should be greater than 0"),
            ("oom.minBatchSize", 0, "should be greater than or equal to 1"),
            ("oom.maxReductions", 17, "should be less than or equal to 16"),
            ("oom.action", "halve", 'supported values: "retry", "fail"'),
            ("divergence.learningRateFactor", 1, "should be less than 1"),
            # Some of these multiplied are no learning rate any more, but 0.
            ("divergence.learningRateFactor", 1e-300, "should be greater than or equal to 1e-06"),
            ("divergence.maxRetries", 0, "should be greater than or equal to 1"),
        )
    ),
    Refusal(
        "checkpoints of which none is kept",
        {"spec.checkpoints.keepLast": 0},
        "spec.checkpoints.keepLast",
        "should be greater than or equal to 1",
    ),
    Refusal(
        "checkpoints every 0 epochs",
        {"spec.checkpoints.everyEpochs": 0},
        "spec.checkpoints.everyEpochs",
        "should be greater than or equal to 1",
    ),
    Refusal("a field that is not there", {"spec.training.epohs": 3}, "spec.training.epohs", "unknown field"),
    Refusal("a name of the past", {"spec.training.batch": 16}, "spec.training.batch", "unknown field"),
)
"""Refused by type, range, enum or name: the API server has words of its own, in `sentence`; the laptop's are better."""
