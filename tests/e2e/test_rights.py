"""Who may do what: the operator, the trainer's pods, and whoever else can reach the intake."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from modelyard_api.report import AUDIENCE, REPORT_PATH
from modelyard_api.run_document import RUN_ANNOTATION
from modelyard_cluster.namespaces import ENFORCED

from tests.e2e.kubectl import Object
from tests.e2e.live_run import LiveRun, epochs_done
from tests.e2e.other_pods import other_pod, pod
from tests.e2e.yard import Yard

PROBE = Path(__file__).with_name("intake_probe.py")
FORGED_EPOCH = 99_000


@pytest.fixture(scope="module")
def run(yard: Yard) -> Iterator[LiveRun]:
    """A run that trains while the tests of this page look at it."""
    (run,) = yard.start(yard.quick("watched-closely").for_ever())
    run.until_epoch(1)
    yield run
    run.delete(wait=False)


@pytest.fixture(scope="module")
def prober(yard: Yard) -> Iterator[str]:
    """A pod of somebody else's in the same namespace, with Python in it."""
    with other_pod(yard, "prober") as name:
        yield name


@pytest.mark.parametrize("namespace", ["vision", "modelyard", "kube-system"])
def test_the_operator_may_not_read_secrets(yard: Yard, namespace: str) -> None:
    """Under the chart's RBAC the operator's service account may do nothing with Secrets, nor look into pods."""
    where = [f"--as={yard.operator_service_account}", f"--namespace={namespace}"]

    for verb in ("get", "list", "watch", "create", "update", "patch", "delete"):
        assert not yard.kubectl.may(verb, "secrets", *where)
    assert not yard.kubectl.may("create", "pods/exec", *where)
    assert not yard.kubectl.may("create", "pods", *where)
    assert yard.kubectl.may("list", "pods", *where)


def test_the_namespace_admits_restricted_pods_only(yard: Yard, run: LiveRun) -> None:
    """Trainer pods run where a pod that is less than `restricted` is refused."""
    refused = yard.kubectl.refusal("apply", "-f", "-", stdin=json.dumps(pod(yard, "careless", {})))

    assert 'violates PodSecurity "restricted:latest"' in refused
    assert run.pod()["status"]["phase"] == "Running"


def test_the_operator_runs_in_a_namespace_that_admits_restricted_pods_only(yard: Yard) -> None:
    """What is less than `restricted` is refused there as well; the operator's pods run, and would be let in again."""
    refused = yard.operator.refusal("apply", "-f", "-", stdin=json.dumps(pod(yard, "careless", {})))
    pods = yard.operator.all("pods")
    again = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "again"}, "spec": pods[0]["spec"]}

    assert yard.kubectl.get("namespace", yard.installation.namespace)["metadata"]["labels"][ENFORCED] == "restricted"
    assert 'violates PodSecurity "restricted:latest"' in refused
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}
    assert "created" in yard.operator("create", "--dry-run=server", "-f", "-", stdin=json.dumps(again))


def test_a_trainer_pod_holds_one_token_and_no_rights(yard: Yard, run: LiveRun) -> None:
    """The only token in a trainer's pod is the one for the intake; its service account may do nothing."""
    spec = run.pod()["spec"]
    sources = [source for volume in spec["volumes"] for source in volume.get("projected", {}).get("sources", [])]

    assert spec["automountServiceAccountToken"] is False
    assert [source["serviceAccountToken"]["audience"] for source in sources] == [AUDIENCE]
    assert not _has_folder(run, "/var/run/secrets/kubernetes.io")
    user = f"--as=system:serviceaccount:vision:{spec['serviceAccountName']}"
    for verb, resource in (("get", "secrets"), ("list", "pods"), ("get", "trainingruns"), ("patch", "trainingruns")):
        assert not yard.kubectl.may(verb, resource, user)


def test_the_credentials_of_the_store_are_nowhere_to_be_seen(yard: Yard, run: LiveRun) -> None:
    """Not in what kubectl shows of runs, Jobs, pods, Events and ConfigMaps, nor in a log, nor in what was published."""
    (finished,) = yard.start(yard.quick("publishes-no-secret").for_epochs(1))
    text = [yard.store.read(f"s3://models/{key}") for key in yard.store.keys(finished.wait("Complete")["artifactsUri"])]
    kinds = "trainingruns,jobs,pods,events,configmaps"
    text += [yard.kubectl("get", kinds, "-o", "yaml").encode(), yard.operator("get", kinds, "-o", "yaml").encode()]
    text += [yard.kubectl("logs", each.pod()["metadata"]["name"]).encode() for each in (finished, run)]
    text += [yard.operator("logs", f"pod/{pod['metadata']['name']}").encode() for pod in yard.operator.all("pods")]
    secret = yard.kubectl.get("secret", "s3")["data"]

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        credential = base64.b64decode(secret[name])
        assert len(credential) >= 16
        assert not [each for each in text if credential in each or secret[name].encode() in each]


def test_a_trainer_pod_cannot_write_its_root(run: LiveRun) -> None:
    """The root file system of a trainer's container is read-only, and its user is nobody in particular."""
    pod = run.pod()["metadata"]["name"]

    assert "Read-only file system" in run.kubectl.refusal("exec", pod, "--", "touch", "/app/x")
    assert run.kubectl("exec", pod, "--", "id", "-u").strip() == "65532"


def test_forged_reports_are_refused(yard: Yard, run: LiveRun, prober: str) -> None:
    """From inside the cluster only its own pod speaks for a run: 401 for what proves nothing, 403 for another's."""
    pod, other = run.pod(), yard.kubectl.get("pod", prober)
    own = _token(yard, pod)
    cases = {
        "no token": (None, 1, 401),
        "not a token": ("forged", 1, 401),
        "its claims signed by another": (_signed_by_another(own), 1, 401),
        "its claims not signed": (_unsigned(own), 1, 401),
        "the cluster's, for another audience": (_token(yard, pod, audience="https://kubernetes.default.svc"), 1, 401),
        "the cluster's, bound to no pod": (_token(yard, None), 1, 403),
        "another pod's": (_token(yard, other), 1, 403),
        "its own, for another attempt": (own, 2, 403),
        "its own": (own, 1, 200),
    }

    answers = _probe(yard, run, prober, [(token, attempt) for token, attempt, _ in cases.values()])

    assert dict(zip(cases, answers, strict=True)) == {name: status for name, (_, _, status) in cases.items()}
    # The last one, which is genuine, is older than what its pod has said since, and changes nothing either.
    time.sleep(2)
    assert epochs_done(run.status) < FORGED_EPOCH


def _probe(yard: Yard, run: LiveRun, prober: str, attempts: list[tuple[str | None, int]]) -> list[int]:
    document = json.loads(run.pod()["metadata"]["annotations"][RUN_ANNOTATION])
    ca = "\n".join(yard.kubectl.get("configmap", "modelyard-intake-ca")["data"].values())
    asked = {
        "url": _intake_url(document),
        "ca": ca,
        "attempts": [{"token": token, "report": _report(attempt)} for token, attempt in attempts],
    }
    answered = yard.kubectl("exec", "-i", prober, "--", "python", "-c", PROBE.read_text(), stdin=json.dumps(asked))
    found: list[int] = json.loads(answered)
    return found


def _intake_url(document: Object) -> str:
    url = str(document["intake"]["url"]).rstrip("/")
    return url if url.endswith(REPORT_PATH) else url + REPORT_PATH


def _report(attempt: int) -> Object:
    """A report that would show, if it were believed. Its sequence number is behind whatever the trainer has sent."""
    return {"sequence": 1, "attempt": attempt, "stage": "Training", "epoch": FORGED_EPOCH, "epochs": 100_000}


def _token(yard: Yard, pod: Object | None, audience: str = AUDIENCE) -> str:
    """A token that the cluster itself has signed, as only its administrator can ask for."""
    bound = []
    if pod is not None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        bound = ["--bound-object-kind=Pod", f"--bound-object-name={name}", f"--bound-object-uid={uid}"]
    return yard.kubectl("create", "token", "default", f"--audience={audience}", "--duration=10m", *bound).strip()


def _claims(token: str) -> tuple[Object, Object]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def _signed_by_another(token: str) -> str:
    header, claims = _claims(token)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": header["kid"]})


def _unsigned(token: str) -> str:
    header, claims = _claims(token)
    return jwt.encode(claims, "", algorithm="none", headers={"kid": header["kid"]})


def _has_folder(run: LiveRun, folder: str) -> bool:
    script = f"test -d {folder} && echo yes || echo no"
    return run.kubectl("exec", run.pod()["metadata"]["name"], "--", "sh", "-c", script).strip() == "yes"
