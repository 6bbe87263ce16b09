"""report.html: one page that needs nothing else, for people."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelyard_trainer.checkpoints.model import Position
from modelyard_trainer.tasks.base import PLOTS

_PICTURES = (
    ("predictions.jpg", "Validation pictures and what was found in them (score from 0.25)"),
    ("curves.png", "Losses and metrics over the epochs"),
    ("precision_recall.png", "Precision over recall"),
    ("confusion_matrix.png", "Confusion matrix"),
    ("roc.png", "Pairs of individuals that training never saw: accepted rightly, over accepted by mistake"),
    ("similarities.png", "How similar pairs of pictures are"),
    ("ranked*.jpg", "Who was looked for, and the first that were found: green where it is the same person"),
)
_COUNT = "pictures"
"""Of the numbers of a class, the one that is whole."""
_TYPES = {".jpg": "image/jpeg", ".png": "image/png"}
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
.lead { color: #888; margin-top: .2rem; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0; }
.card { background: var(--soft); border-radius: .5rem; padding: .6rem 1rem; min-width: 7rem; }
.card b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
.card span { color: #888; font-size: .85rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; } td.number, th.number { text-align: right; }
img { max-width: 100%; border-radius: .3rem; background: white; }
figure { margin: 1rem 0; } figcaption { color: #888; font-size: .85rem; }
details summary { cursor: pointer; } pre { overflow-x: auto; background: var(--soft); padding: .8rem; }
"""


def render_report(summary: Mapping[str, Any], folder: Path) -> str:
    """The page for a run whose run.json is `summary`, with the plots in `folder`/plots where there are any."""
    run, data, environment = summary["run"], summary["dataset"], summary["environment"]
    name = f"{run['namespace']}/{run['name']}"
    body = [
        f"<h1>{html.escape(name)}</h1>",
        f'<p class="lead">{html.escape(_lead(summary))}</p>',
        _cards([*((key, f"{value:.3f}") for key, value in summary["metrics"].items()), *_extent(summary)]),
        *_section("Good to know", _list(summary["notices"])),
        *_section("Exported files", _exports(summary["exports"])),
        *_section("Classes", _classes(summary["metricsPerClass"])),
        *_section("Pictures", "".join(_figures(folder / PLOTS))),
        *_section(
            "Data",
            _rows(
                {
                    "pictures": f"{data['images']}: {data['trainingImages']} to train on, "
                    f"{data['validationImages']} to validate on ({_split(data)})",
                    "objects": data["objects"],
                    "digest": data["digest"],
                }
            ),
        ),
        *_section("Checkpoints", _rows(_checkpoints(summary["checkpoints"]))),
        *_section(
            "Made with",
            _rows({key: value for key, value in environment.items() if key != "packages" and value is not None}),
        ),
        "<details><summary>Packages</summary>" + _rows(environment["packages"]) + "</details>",
        "<details><summary>The run as it was resolved</summary><pre>" + html.escape(_yaml(run)) + "</pre></details>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(name)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _checkpoints(checkpoints: Mapping[str, Any]) -> dict[str, str]:
    """Where the attempt began, and what it left for another one."""
    resumed = checkpoints["resumedFrom"]
    kept = ", ".join(_position(each) for each in checkpoints["kept"])
    return {
        "this attempt began": f"at {_position(resumed)}, {resumed['uri']}" if resumed else "anew",
        "checkpoints it took": f"{checkpoints['taken']}{f'; kept: {kept}' if kept else ''}",
    }


def _position(checkpoint: Mapping[str, Any]) -> str:
    """As `modelyard_trainer.checkpoints.model.Position` is written."""
    return str(Position(checkpoint["epoch"], checkpoint["step"]))


def _split(data: Mapping[str, Any]) -> str:
    return "set aside by seed" if data["splitBySeed"] else "as the data set says"


def _lead(summary: Mapping[str, Any]) -> str:
    run = summary["run"]
    device = summary["environment"]["device"]
    how = f"on {device}, without training"
    if summary["epochs"]:
        minutes, seconds = divmod(round(summary["trainingSeconds"]), 60)
        how = f"after {minutes} min {seconds} s of training on {device}"
    return (
        f"{run['spec']['task']} with {run['spec']['model']['architecture']}, attempt {run['attempt']}, finished "
        f"{summary['finishedAt']} {how}"
    )


def _extent(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not summary["epochs"]:
        return [("epoch of the weights", str(summary["bestEpoch"] or "unknown"))]
    return [("best epoch", f"{summary['bestEpoch']} of {summary['epochs']}"), ("seed", str(summary["seed"]))]


def _cards(values: Iterable[tuple[str, str]]) -> str:
    cards = (f'<div class="card"><b>{html.escape(v)}</b><span>{html.escape(k)}</span></div>' for k, v in values)
    return f'<div class="cards">{"".join(cards)}</div>'


def _section(title: str, content: str) -> list[str]:
    return [f"<h2>{html.escape(title)}</h2>", content] if content else []


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(item)}</li>' for item in items)}</ul>" if items else ""


def _rows(values: Mapping[str, object]) -> str:
    rows = (f"<tr><th>{html.escape(str(k))}</th><td>{html.escape(str(v))}</td></tr>" for k, v in values.items())
    return f"<table>{''.join(rows)}</table>"


def _exports(exports: Sequence[Mapping[str, Any]]) -> str:
    if not exports:
        return ""
    judged = exports[0]["metric"]
    titles = ("largest difference", "allowed", judged["name"], "drop", "allowed", "ms a picture")
    head = "<tr><th>file</th><th></th>" + "".join(f'<th class="number">{title}</th>' for title in titles) + "</tr>"
    rows = "".join(
        f"<tr><td>{html.escape(each['name'])}</td><td>{html.escape(_said(each))}</td>"
        + "".join(f'<td class="number">{number}</td>' for number in _numbers(each))
        + "</tr>"
        for each in exports
    )
    latency, shapes = exports[0]["latency"], dict.fromkeys(shape for each in exports for shape in each["inputShapes"])
    note = (
        f"Outputs were compared with PyTorch's on {exports[0]['picturesCompared']} validation pictures as "
        f"{', '.join(shapes)}; {judged['name']} is of {judged['pictures']} validation pictures, and PyTorch's on them "
        f"{judged['inPyTorch']:.4f}. Times are medians, one picture at once, on this CPU with {latency['threads']} "
        "threads."
    )
    return f"<table>{head}{rows}</table><p>{html.escape(note)}</p>"


def _said(export: Mapping[str, Any]) -> str:
    shapes = {True: ["dynamic shapes"], False: ["fixed shapes"], None: []}[export.get("dynamic")]
    return ", ".join([export["precision"], *([f"opset {export['opset']}"] if "opset" in export else []), *shapes])


def _numbers(export: Mapping[str, Any]) -> tuple[str, ...]:
    metric, tolerance, most = export["metric"], export["tolerance"], export["metric"]["maxMetricDrop"]
    return (
        f"{export['largestDifference']:.2e}",
        "any" if tolerance is None else f"{tolerance:g}",
        f"{metric['value']:.4f}",
        f"{metric['drop']:+.4f}",
        "any" if most is None else f"{most:g}",
        f"{export['latency']['milliseconds']:.2f}",
    )


def _classes(classes: Mapping[str, Mapping[str, float]]) -> str:
    if not classes:
        return ""
    names = list(next(iter(classes.values())))
    head = "".join(f'<th class="number">{html.escape(name)}</th>' for name in names)
    rows = "".join(
        f"<tr><td>{html.escape(label)}</td>"
        + "".join(f'<td class="number">{values[name]:{".0f" if name == _COUNT else ".3f"}}</td>' for name in names)
        + "</tr>"
        for label, values in classes.items()
    )
    return f"<table><tr><th>class</th>{head}</tr>{rows}</table>"


def _figures(folder: Path) -> Iterable[str]:
    for pattern, caption in _PICTURES:
        for path in sorted(folder.glob(pattern)):
            data = base64.b64encode(path.read_bytes()).decode()
            source = f"data:{_TYPES[path.suffix]};base64,{data}"
            shown = html.escape(caption)
            yield f'<figure><img src="{source}" alt="{shown}"><figcaption>{shown}</figcaption></figure>'


def _yaml(content: Mapping[str, Any]) -> str:
    import yaml  # noqa: PLC0415

    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    return text
