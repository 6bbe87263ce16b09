"""README.md beside the files: what this model is, what it was trained on, how good it is and how it is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelyard_trainer.exports.loading import QUANTISED_WEIGHTS, WEIGHTS, example
from modelyard_trainer.quantising.file import QUANTISED
from modelyard_trainer.tasks.base import BEST

CARD_FILE = "README.md"
_PURPOSE = {
    "detection": "finds objects of these classes and their boxes in pictures",
    "classification": "tells which of these classes a picture shows",
    "face-id": "gives embeddings of faces, which are the more alike the likelier they are of one person",
    "reid": "gives embeddings of individuals, to find the same one again in pictures of other cameras",
}
_MOST_CLASSES = 20


def render_card(summary: Mapping[str, Any], folder: Path) -> str:
    """The card of a run whose run.json is `summary` and whose weights are in `folder`, where the task has such."""
    run, data = summary["run"], summary["dataset"]
    spec = run["spec"]
    return "\n".join(
        [
            f"# {run['name']}",
            "",
            f"{spec['model']['architecture']}, trained for {spec['task']} by Modelyard: the run "
            f"{run['namespace']}/{run['name']}, finished {summary['finishedAt']}. run.json holds all there is to know, "
            "report.html shows it, and SHA256SUMS covers every file.",
            "",
            "## Intended use",
            "",
            f"It {_PURPOSE[spec['task']]}: {_classes(data['classNames'])}. It was measured on pictures like those that "
            "it was trained on, and on nothing else.",
            "",
            "## Data",
            "",
            f"{data['images']} pictures, {data['trainingImages']} of them to train on and {data['validationImages']} "
            f"to validate on, from {_source(spec['dataset'])} (digest {data['digest']}). split.json names each.",
            "",
            "## Metrics",
            "",
            f"Of the published weights (epoch {summary['bestEpoch']} of {summary['epochs']}) on the validation "
            "pictures, unless a name says otherwise:",
            "",
            *_table(("metric", "value"), [(name, f"{value:.4f}") for name, value in summary["metrics"].items()]),
            "",
            "## Files and how to load them",
            "",
            *_files(summary["exports"]),
            *(_loading(BEST, WEIGHTS.format(name=BEST)) if (folder / BEST).is_file() else ()),
            *(
                _loading(QUANTISED, QUANTISED_WEIGHTS.format(name=QUANTISED))
                if summary["bestEpochInInt8"] is not None
                else ()
            ),
            *(line for export in summary["exports"] for line in _loading(export["name"], example(export))),
            "Inputs are RGB pictures with values between 0 and 1; what else they must be stands in each file's own "
            "metadata, under `preprocessing`.",
            "",
            "## Limits",
            "",
            *(f"- {limit}" for limit in _limits(summary)),
            "",
        ]
    )


def _classes(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_CLASSES])
    return shown if len(names) <= _MOST_CLASSES else f"{shown} and {len(names) - _MOST_CLASSES} more (labels.json)"


def _source(dataset: Mapping[str, Any]) -> str:
    if "volume" in dataset:
        return f"the volume {dataset['volume']['claimName']}, {dataset['volume']['path'] or '/'}"
    return str(dataset["s3"]["uri"] if "s3" in dataset else dataset["path"])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines]


def _files(exports: Sequence[Mapping[str, Any]]) -> list[str]:
    if not exports:
        return []
    metric = exports[0]["metric"]
    rows = [
        (
            each["name"],
            each["precision"],
            f"{each['metric']['value']:.4f}",
            f"{each['metric']['drop']:+.4f}",
            f"{each['latency']['milliseconds']:.2f} ms on {each['latency']['device']}",
        )
        for each in exports
    ]
    return [
        f"{metric['name']} of each file is of {metric['pictures']} validation pictures, on which PyTorch reaches "
        f"{metric['inPyTorch']:.4f}; the time is the median for one picture.",
        "",
        *_table(("file", "precision", metric["name"], "drop", "time"), rows),
        "",
    ]


def _loading(name: str, code: str) -> list[str]:
    return [f"{name}:", "", "```python", *code.splitlines(), "```", ""]


def _limits(summary: Mapping[str, Any]) -> list[str]:
    formats = {export["format"] for export in summary["exports"]}
    held = [name for name in ("safetensors", "gguf") if name in formats]
    return [
        "Nothing is known of pictures unlike those of the data set: other cameras, lights, places or classes.",
        "How classes, people or places are balanced in the data was not looked into.",
        *(
            [f"{' and '.join(held)} files hold weights and no network: the architecture is needed beside them."]
            * bool(held)
        ),
        *(
            [
                "Its last epochs were trained in 8 bits: files with qat in their names are of epoch "
                f"{summary['bestEpochInInt8']}, all others of epoch {summary['bestEpoch']}."
            ]
            if summary["bestEpochInInt8"] is not None
            else []
        ),
        *(
            ["An engine runs on the GPU architecture and the TensorRT version of run.json only."]
            if "tensorrt" in formats
            else []
        ),
        *summary["notices"],
    ]
