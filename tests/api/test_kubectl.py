"""What a person sees of TrainingRuns through kubectl."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from modelyard_api.crd import CRD_FILE
from modelyard_api.schema import training_run_schema
from modelyard_api.structural import Schema
from modelyard_cluster.bare import BareControlPlane
from modelyard_cluster.kube_api import APPLY_PATCH, ApiError

from tests.api.conftest import RUNS, Send
from tests.api.manifests import RIGHT, Manifest

EXAMPLES = Path(__file__).parents[2] / "examples"
STATUS: Manifest = {
    "phase": "Running",
    "startedAt": "2026-11-21T12:00:00Z",
    "currentAttempt": 2,
    "batchSize": 16,
    "progress": {
        "epoch": 47,
        "epochs": 300,
        "display": "47/300",
        "percent": 15,
        "percentDisplay": "15%",
        "eta": "3h2m",
        "stage": "Training",
    },
    "metrics": [{"name": "mAP50", "value": "0.612"}],
    "metricDisplay": "mAP50 0.612",
    "best": {"epoch": 45, "metric": "mAP50", "value": "0.633"},
    "reason": "Training",
    "dataset": {
        "images": 800,
        "trainingImages": 640,
        "validationImages": 160,
        "classes": 10,
        "objects": 2000,
        "digest": "sha256:0",
    },
    "attempts": [
        {"number": 1, "batchSize": 32, "jobName": "one", "startedAt": "2026-11-21T12:00:00Z", "node": "worker-1"},
        {"number": 2, "batchSize": 16, "jobName": "two", "startedAt": "2026-11-21T12:30:00Z", "node": "worker-2"},
    ],
    "artifactsUri": "s3://models/test/right/0/",
}


def test_get_shows_the_columns_that_people_watch(served: BareControlPlane, namespace: str, create: Send) -> None:
    create(RIGHT)
    _apply_status(served, namespace, STATUS)
    header, row = _table(served.kubectl("get", "trun", f"--namespace={namespace}"))
    assert header == ["NAME", "TASK", "PHASE", "EPOCH", "PROGRESS", "ETA", "METRIC", "BATCH", "TRY", "AGE"]
    assert row[:-1] == ["right", "detection", "Running", "47/300", "15%", "3h2m", "mAP50 0.612", "16", "2"]
    assert re.fullmatch(r"\d+s", row[-1])


def test_get_wide_shows_the_rest(served: BareControlPlane, namespace: str, create: Send) -> None:
    create(RIGHT)
    _apply_status(served, namespace, STATUS)
    header, row = _table(served.kubectl("get", "trun", f"--namespace={namespace}", "--output=wide"))
    wide = dict(zip(header, row, strict=True))
    assert {name: wide[name] for name in header[10:]} == {
        "REASON": "Training",
        "STAGE": "Training",
        "BEST": "0.633",
        "BEST-EPOCH": "45",
        "MODEL": "yolov5nu",
        "IMAGES": "800",
        "GPUS": "1",
        "NODE": "worker-2",
        "ARTIFACTS": "s3://models/test/right/0/",
    }


def test_a_run_without_a_status_has_a_row(served: BareControlPlane, namespace: str, create: Send) -> None:
    create(RIGHT)
    assert re.search(r"^right +detection +\d+s$", served.kubectl("get", "trun", f"--namespace={namespace}"), re.M)


def test_runs_are_found_by_every_name_and_by_phase(served: BareControlPlane, namespace: str, create: Send) -> None:
    create(RIGHT)
    _apply_status(served, namespace, STATUS)
    for name in ("trainingruns", "trainingrun", "trun", "modelyard"):
        assert "right" in served.kubectl("get", name, f"--namespace={namespace}")
    for phase, found in (("Running", 1), ("Failed", 0)):
        names = served.kubectl(
            "get", "trun", f"--namespace={namespace}", f"--field-selector=status.phase={phase}", "--output=name"
        )
        assert len(names.split()) == found


def test_what_is_applied_again_is_unchanged(served: BareControlPlane, namespace: str) -> None:
    """What is filled in is nowhere within a list, which `kubectl apply` compares as a whole."""
    runs = [{**yaml.safe_load(path.read_text()), "metadata": {"name": path.stem}} for path in EXAMPLES.glob("*.yaml")]
    spec = deepcopy(RIGHT["spec"])
    spec["resources"] = {**spec.get("resources", {}), "tolerations": [{"key": "nvidia.com/gpu"}]}
    spec["export"] = [{"format": "onnx", "precision": "int8", "calibration": {"pictures": 100}}]
    runs.append({**RIGHT, "metadata": {"name": "lists"}, "spec": spec})
    manifest = yaml.safe_dump_all(runs)
    served.kubectl("apply", f"--namespace={namespace}", "--filename=-", stdin=manifest)
    told = served.kubectl("apply", f"--namespace={namespace}", "--filename=-", stdin=manifest).splitlines()
    assert len(told) == len(runs)
    assert [line for line in told if not line.endswith(" unchanged")] == []
    assert served.kubectl("diff", f"--namespace={namespace}", "--filename=-", stdin=manifest) == ""


def test_the_definition_is_as_the_api_server_keeps_it(served: BareControlPlane) -> None:
    served.kubectl("apply", f"--filename={CRD_FILE}")
    assert served.kubectl("apply", f"--filename={CRD_FILE}").endswith(" unchanged\n")


def test_a_manifest_that_does_not_say_whether_a_run_is_suspended_leaves_it_so(
    served: BareControlPlane, namespace: str
) -> None:
    manifest = yaml.safe_dump(RIGHT)
    apply = ("apply", f"--namespace={namespace}", "--filename=-")
    served.kubectl(*apply, stdin=manifest)
    served.api.patch(f"{RUNS.format(namespace=namespace)}/right", {"spec": {"suspend": True}})
    assert served.kubectl(*apply, stdin=manifest) == "trainingrun.modelyard.dev/right unchanged\n"
    assert served.api.get(f"{RUNS.format(namespace=namespace)}/right")["spec"]["suspend"] is True


def test_a_status_is_only_written_as_a_subresource(served: BareControlPlane, namespace: str, create: Send) -> None:
    created = create({**RIGHT, "status": STATUS})
    assert "status" not in created
    run = f"{RUNS.format(namespace=namespace)}/right"
    served.api.patch(run, {"status": STATUS})
    assert "status" not in served.api.get(run)

    after = _apply_status(served, namespace, STATUS)
    assert after["status"]["progress"]["epoch"] == 47
    assert after["metadata"]["generation"] == created["metadata"]["generation"]


def test_an_applied_status_replaces_lists_by_their_keys(served: BareControlPlane, namespace: str, create: Send) -> None:
    create(RIGHT)
    _apply_status(served, namespace, STATUS)
    later = {**STATUS, "metrics": [{"name": "mAP50", "value": "0.7"}, {"name": "recall", "value": "0.5"}]}
    assert _apply_status(served, namespace, later)["status"]["metrics"] == later["metrics"]
    twice = {**STATUS, "metrics": [{"name": "mAP50", "value": "0.7"}] * 2}
    with pytest.raises(ApiError):
        _apply_status(served, namespace, twice)


def test_explain_lists_every_field(served: BareControlPlane) -> None:
    for block in ("spec", "status"):
        explained = served.kubectl("explain", f"trainingrun.{block}", "--recursive")
        listed = set(_explained_fields(explained))
        assert listed == set(_fields(training_run_schema()["properties"][block], ""))


def test_the_api_server_describes_every_field(served: BareControlPlane) -> None:
    document = served.api.get("/openapi/v3/apis/modelyard.dev/v1alpha1")
    [schema] = [part for name, part in document["components"]["schemas"].items() if name.endswith(".TrainingRun")]
    fields = dict(_fields_with_schemas(schema["properties"]["spec"], "spec"))
    assert len(fields) > 100
    assert [path for path, field in fields.items() if not field.get("description", "").strip()] == []


def test_explain_says_what_a_field_is_for(served: BareControlPlane) -> None:
    explained = served.kubectl("explain", "trainingrun.spec.training.imageSize")
    assert "Side in pixels of the square" in explained
    assert "FIELD: imageSize <integer>" in explained


def _apply_status(plane: BareControlPlane, namespace: str, status: Manifest) -> Manifest:
    """Write a status as the operator does."""
    run = f"{RUNS.format(namespace=namespace)}/right"
    body = {"apiVersion": RIGHT["apiVersion"], "kind": RIGHT["kind"], "metadata": {"name": "right"}, "status": status}
    answer: Manifest = plane.api.patch(f"{run}/status?fieldManager=test&force=true", body, APPLY_PATCH)
    return answer


def _table(text: str) -> tuple[list[str], list[str]]:
    """Header and only row of a table whose columns are apart by three spaces or more."""
    header, row = (re.split(r" {3,}", line.strip()) for line in text.strip().splitlines())
    return header, row


def _fields(schema: Schema, path: str) -> Iterator[str]:
    return (field for field, _ in _fields_with_schemas(schema, path))


def _fields_with_schemas(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    for name, part in schema.get("properties", {}).items():
        field = f"{path}.{name}" if path else name
        yield field, part
        yield from _fields_with_schemas(part, field)
        yield from _fields_with_schemas(part.get("items", {}), field)


def _explained_fields(text: str) -> Iterator[str]:
    """The paths in the list of `kubectl explain --recursive`, which indents by two spaces for each level."""
    parents: list[str] = []
    for indent, name in re.findall(r"^( +)(\w+)\t", text.partition("FIELDS:")[2], re.M):
        level = len(indent) // 2 - 1
        parents = [*parents[:level], name]
        yield ".".join(parents)
