"""What is accepted: right manifests, each in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from tests.api.manifests import CLASSIFICATION, FACE_ID, REID, TABLE, Changes


@dataclass(frozen=True)
class Acceptance:
    """A change to a right manifest that leaves it right."""

    what: str
    changes: Changes

    def __str__(self) -> str:
        return self.what


ACCEPTED = (
    Acceptance("as little as can be said", {}),
    Acceptance("a name of 63 letters", {"metadata.name": "a" * 63}),
    Acceptance("a bucket without a prefix", {"spec.artifacts.s3.uri": "s3://models"}),
    Acceptance("an S3 service of one's own", {"spec.dataset.s3.endpoint": "http://s3.storage.svc:7070"}),
    Acceptance("S3 by service account", {"spec.dataset.s3": {"uri": "s3://datasets/", "region": "eu-central-1"}}),
    Acceptance("a data set that the image holds", {"spec.dataset": {"path": "/data/digits", "format": "coco"}}),
    Acceptance(
        "data and weights on volumes",
        {
            "spec.dataset": {"volume": {"claimName": "pictures"}},
            "spec.model.pretrained": {"volume": {"claimName": "weights", "path": "resnet/..hidden/a.pth"}},
        },
    ),
    Acceptance(
        "what another run has left on a volume", {"spec.model.from": {"volume": {"claimName": "a", "path": "b/"}}}
    ),
    Acceptance("a tenth of the pictures", {"spec.dataset.fraction": 0.1, "spec.dataset.validationSplit": 0.5}),
    Acceptance("one epoch without warm-up", {"spec.training": {"epochs": 1, "schedule": {"warmupEpochs": 0}}}),
    Acceptance("a warm-up of half an epoch", {"spec.training": {"epochs": 2, "schedule": {"warmupEpochs": 0.5}}}),
    Acceptance(
        "SGD with a linear schedule",
        {
            "spec.training.optimizer": {"name": "SGD", "learningRate": 0.01, "momentum": 0.937, "weightDecay": 0},
            "spec.training.schedule": {"name": "linear", "warmupMomentum": 0.8, "finalFraction": 1},
        },
    ),
    Acceptance(
        "everything that the training block says",
        {
            "spec.training": {
                "epochs": 300,
                "batchSize": 32,
                "gradientAccumulation": 2,
                "imageSize": 1280,
                "patience": 50,
                "seed": 2147483647,
                "amp": "bf16",
                "workers": 0,
                "cache": "disk",
                "savePeriod": 10,
                "freeze": 10,
                "deterministic": False,
            }
        },
    ),
    Acceptance(
        "checkpoints every half hour and every tenth epoch",
        {"spec.checkpoints": {"every": "30m", "everyEpochs": 10, "keepLast": 1}},
    ),
    Acceptance(
        "weights of a name, pinned",
        {"spec.model.pretrained": {"s3": {"uri": "s3://weights/resnet18-imagenet/"}, "sha256": "4a" * 32}},
    ),
    Acceptance(
        "a download that is pinned",
        {"spec.model.pretrained": {"url": "https://example.com/weights/a.pth?v=1", "sha256": "0" * 64}},
    ),
    Acceptance("the last weights of another run", {"spec.model.from": {"run": "digits-v1", "weights": "last"}}),
    Acceptance("an evaluation", {"spec.mode": "evaluate", "spec.model.from": {"run": "digits-v1"}}),
    Acceptance("an export", {"spec.mode": "export", "spec.model.pretrained": {"path": "/weights/best.pt"}}),
    Acceptance("a backbone that thaws", {"spec.training.freezeBackbone": True, "spec.training.freezeEpochs": 5}),
    Acceptance("a batch of one", {"spec.training.batchSize": 1}),
    Acceptance("training on the CPU", {"spec.resources": {"gpus": 0, "cpu": "1500m", "memory": "4Gi"}}),
    Acceptance("four GPUs", {"spec.resources.gpus": 4, "spec.training.batchSize": 64}),
    Acceptance("a kind of GPU", {"spec.resources": {"gpus": 1, "gpuType": "nvidia-l4"}}),
    Acceptance(
        "a place to run",
        {
            "spec.resources": {
                "queue": "vision.gpus",
                "serviceAccountName": "trainer",
                "priorityClassName": "batch-low",
                "nodeSelector": {"topology.kubernetes.io/zone": "a", "dedicated": ""},
                "tolerations": [
                    {"key": "nvidia.com/gpu"},
                    {"key": "dedicated", "operator": "Equal", "value": "vision", "effect": "NoSchedule"},
                ],
                "image": "registry.example.com:5000/team/trainer@sha256:" + "0" * 64,
            }
        },
    ),
    Acceptance(
        "quantities of every kind", {"spec.resources": {"cpu": "0.5", "memory": "1.5Gi", "sharedMemory": "64M"}}
    ),
    Acceptance(
        "every augmentation",
        {
            "spec.detection.augment": {
                "hsvH": 0.015,
                "hsvS": 0.7,
                "hsvV": 0.4,
                "degrees": 10,
                "translate": 0.1,
                "scale": 0.5,
                "shear": 2,
                "perspective": 0.0005,
                "flipud": 0.1,
                "fliplr": 0.5,
                "bgr": 0.1,
                "mosaic": 1,
                "closeMosaic": 0,
                "mixup": 0.1,
                "cutmix": 0.1,
                "copyPaste": 0.3,
                "copyPasteMode": "mixup",
                "multiScale": 0.5,
            }
        },
    ),
    Acceptance("weights of the losses", {"spec.detection.loss": {"box": 7.5, "cls": 0.5, "dfl": 1.5, "clsPw": 0.25}}),
    Acceptance("rectangles without mosaic", {"spec.detection": {"rect": True, "augment": {"mosaic": 0}}}),
    Acceptance(
        "a validation of one's own",
        {"spec.detection": {"validation": {"conf": 0.01, "iou": 0.6, "maxDet": 100, "agnosticNms": True}}},
    ),
    Acceptance("as little as can be said of a classification", CLASSIFICATION),
    Acceptance(
        "a classification with everything",
        {
            **CLASSIFICATION,
            "spec.training.optimizer": {"name": "AdamW", "momentum": 0.9, "beta2": 0.98},
            "spec.training.gradientClip": 1,
            "spec.training.emaDecay": 0.999,
            "spec.dataset.limit": 64,
            "spec.classification": {
                "classes": ["cat", "dog"],
                "testSplit": 0.1,
                "resize": "pad",
                "augment": {
                    "horizontalFlip": 0,
                    "verticalFlip": 0.5,
                    "cropArea": 0.5,
                    "randAugment": {"magnitude": 7, "operations": 2},
                    "mixup": 0.2,
                },
                "balance": "sampling",
                "labelSmoothing": 0.1,
                "dropout": 0.2,
                "metric": "accuracy",
            },
        },
    ),
    Acceptance("as little as can be said of a re-identification", REID),
    Acceptance(
        "a re-identification with everything",
        {
            **REID,
            "spec.training.batchSize": 64,
            "spec.training.epochs": 120,
            "spec.training.evaluateEvery": 5,
            "spec.training.compile": True,
            "spec.training.freezeBackbone": True,
            "spec.training.freezeEpochs": 5,
            "spec.training.optimizer": {"name": "AdamW", "learningRate": 0.00035, "eps": 1e-8, "amsgrad": True},
            "spec.training.schedule": {"name": "cosine", "warmupEpochs": 0, "restartEpochs": 40, "etaMin": 1e-7},
            "spec.reid": {
                "sources": ["market1501", "dukemtmcreid"],
                "targets": ["market1501", "dukemtmcreid"],
                "combineAll": True,
                "loadTrainTargets": True,
                "height": 256,
                "width": 128,
                "normalize": True,
                "augment": {
                    "randomFlip": 0.5,
                    "randomCrop": 0.5,
                    "colorJitter": {"brightness": 0.2, "contrast": 0.15, "saturation": 0.1, "hue": 0.05},
                    "randomGrayScale": 0.2,
                    "randomErase": 0.5,
                },
                "kTfm": 2,
                "sampler": {"name": "identity", "numInstances": 4, "numCams": 8, "numDatasets": 2},
                "loss": {"weightT": 1, "weightX": 0.5, "margin": 0.3, "labelSmoothing": 0.1},
                "metric": "rank1",
                "ranks": [1, 5, 10, 20],
                "distance": "cosine",
                "useMetricCuhk03": True,
                "rerank": {"k1": 20, "k2": 6, "original": 0.3},
                "visrankTopk": 10,
            },
        },
    ),
    Acceptance(
        "softmax alone, and a rate that falls in steps",
        {
            **REID,
            "spec.training.schedule": {"name": "multi-step", "warmupEpochs": 0, "milestones": [30, 60], "gamma": 0.3},
            "spec.reid": {"loss": {"weightT": 0}, "sampler": {"name": "camera", "numCams": 4}},
        },
    ),
    Acceptance("angles in bins", {**TABLE, "spec.classification.table.label": {"field": "angle", "binDegrees": 3}}),
    Acceptance(
        "years in a region of each picture",
        {
            **TABLE,
            "spec.classification.table": {
                "file": "metadata/metadata.json",
                "picture": "pictures/{uid}.jpg",
                "label": {"field": "year", "numbers": {"first": 1909, "last": 2024}},
                "filter": {"side": "obverse"},
                "splitBy": "coin",
                "roi": {"file": "metadata/roi_coordinates.json", "region": "date", "padding": 0.1},
            },
        },
    ),
    Acceptance(
        "labels with exceptions",
        {
            **TABLE,
            "spec.classification.table.label": {
                "field": "type",
                "exceptions": [{"field": "side", "equals": "obverse", "label": "obverse"}],
                "missing": "unknown",
            },
        },
    ),
    Acceptance("as little as can be said of a face identification", FACE_ID),
    Acceptance("faces of 112 pixels", {**FACE_ID, "spec.training.imageSize": 112}),
    Acceptance("digits of 28 pixels", {**CLASSIFICATION, "spec.training.imageSize": 28}),
    Acceptance("persons of 140 x 60 pixels", {**REID, "spec.reid": {"height": 140, "width": 60}}),
    Acceptance("a linear head", {**FACE_ID, "spec.faceId": {"head": "linear"}}),
    Acceptance(
        "a face identification with everything",
        {
            **FACE_ID,
            "spec.faceId": {
                "head": "cosface",
                "scale": 30,
                "margin": 0.2,
                "embeddingSize": 256,
                "minImagesPerIdentity": 10,
                "numClasses": 87,
                "heldOutIdentities": {"share": 0.1},
                "resize": "pad",
                "augment": {"horizontalFlip": 0.5, "cropArea": 0.8, "randAugment": {}},
                "dropout": 0.1,
            },
        },
    ),
    Acceptance("no export", {"spec.export": []}),
    Acceptance(
        "several exports in the order of preference",
        {
            "spec.export": [
                {"format": "onnx", "opset": 14, "dynamic": True},
                {"format": "onnx", "opset": 14},
                {"format": "onnx", "tolerance": 0.01},
                {"format": "onnx", "precision": "fp16", "tolerance": 0.1, "maxMetricDrop": 0.01},
                {
                    "format": "onnx",
                    "precision": "int8",
                    "maxMetricDrop": 0,
                    "calibration": {"pictures": 64, "method": "entropy", "perChannel": True},
                },
                {"format": "torchscript"},
                {"format": "safetensors", "precision": "fp16"},
                {"format": "gguf"},
                {"format": "tensorrt", "precision": "int8", "required": True, "calibration": {}},
            ],
            "spec.formatPriorities": ["torchscript", "onnx"],
        },
    ),
    Acceptance(
        "training in 8 bits beside scales from calibration",
        {
            **CLASSIFICATION,
            "spec.training.quantization": {"epochs": 8, "learningRateFactor": 0.05},
            "spec.training.freeze": 1,
            "spec.training.freezeEpochs": 2,
            "spec.export": [
                {"format": "onnx", "precision": "int8"},
                {"format": "onnx", "precision": "int8", "qat": True, "maxMetricDrop": 0.01},
                {"format": "imx500", "precision": "int8", "required": True, "calibration": {"pictures": 64}},
            ],
        },
    ),
    Acceptance(
        "every limit of time",
        {
            "spec.recovery": {
                "maxRetries": 0,
                "activeDeadline": "72h",
                "stallTimeout": "99999h",
                "startDeadline": "1h30m15s",
                "ttlAfterFinished": "0s",
            }
        },
    ),
    Acceptance(
        "half the batch and half the learning rate",
        {
            "spec.recovery.oom": {
                "factor": 0.5,
                "minBatchSize": 4,
                "maxReductions": 2,
                "keepEffectiveBatch": False,
                "learningRate": "scale",
            }
        },
    ),
    Acceptance(
        "a tenth of the learning rate after it diverged",
        {"spec.recovery.divergence": {"action": "retry", "learningRateFactor": 0.1, "maxRetries": 1}},
    ),
    Acceptance("a run that waits for approval", {"spec.approval": {"required": True}}),
    Acceptance("a run that is created suspended", {"spec.suspend": True}),
    Acceptance(
        "more memory than 64 bits can count, in few digits",
        {"spec.resources.memory": "999999P", "spec.resources.sharedMemory": "99999P"},
    ),
    Acceptance(
        "fields that are null, and so are as if they were not there",
        {"spec.approval": None, "spec.training": {"epochs": None, "seed": 1}, "spec.detection": None},
    ),
)
