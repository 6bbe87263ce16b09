"""Several real trainings on the two cores of the tests' node: each asks for little, and takes what is left.

A run's pod requests as much as it may use, which leaves half a core idle for each training that waits at times. A
cluster's administrator who would rather share does it as it is done here, by a policy of admission.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.kubectl import Object
from tests.e2e.other_pods import RESTRICTED, pod
from tests.e2e.yard import NAMESPACE, Yard

REQUESTS = {"cpu": "50m", "memory": "512Mi"}
"""Less CPU than any quick run asks for, so that these come first where there is not enough for all."""
_NAME = "modelyard-tests-share-cpus"
_GROUP = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": _NAME}}
_KINDS = ("mutatingadmissionpolicybindings", "mutatingadmissionpolicies")
_PATH = "/spec/containers/0/resources/requests"


@contextmanager
def shared_cpus(yard: Yard, image: str) -> Iterator[None]:
    """Pods with `image`, or one derived from it for tests, request little in the block; their limits stay."""
    changes = ", ".join(
        f"JSONPatch{{op: 'replace', path: '{_PATH}/{name}', value: '{amount}'}}" for name, amount in REQUESTS.items()
    )
    _forget(yard)
    yard.kubectl.apply(
        {
            **_GROUP,
            "kind": "MutatingAdmissionPolicy",
            "spec": {
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
                    "resourceRules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                    ],
                },
                "matchConditions": [{"name": "trains-for-real", "expression": _has_image_like(image)}],
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{changes}]"}}],
            },
        },
        {**_GROUP, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": _NAME}},
    )
    try:
        _await(yard, image, REQUESTS["cpu"])
        yield
    finally:
        _forget(yard)


def _forget(yard: Yard) -> None:
    for kind in _KINDS:
        yard.kubectl("delete", kind, _NAME, "--ignore-not-found")


def _await(yard: Yard, image: str, request: str) -> None:
    deadline = time.monotonic() + 60
    while _request_of_a(yard, image) != request:
        assert time.monotonic() < deadline, "pods do not share CPUs 60 s after the policy was made"
        time.sleep(0.5)


def _has_image_like(image: str) -> str:
    return f"object.spec.containers[0].image.matches('^{image.partition(':')[0]}(-acme)?:')"


def _request_of_a(yard: Yard, image: str) -> str:
    """What a pod with that image would be admitted with."""
    asked: Object = pod(yard, "sharing", RESTRICTED)
    asked["spec"]["containers"][0] |= {"image": image}
    admitted = yard.kubectl.dry_run(asked)
    return str(admitted["spec"]["containers"][0]["resources"]["requests"]["cpu"])
