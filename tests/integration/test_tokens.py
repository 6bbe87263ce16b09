"""Who may report: real tokens of real pods, and what a hand that has none makes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from modelyard_api import GROUP
from modelyard_api.report import AUDIENCE
from modelyard_cluster.by_hand import set_running, set_terminated
from modelyard_operator.kube import paths

from tests.conftest import namespace_of_its_own
from tests.integration.namespace_view import NamespaceView
from tests.integration.operator_process import OperatorProcess
from tests.integration.reporting import send, token_of

Claims = dict[str, Any]
Forger = Callable[[NamespaceView, Claims, str], str]
"""Makes a token of the cluster's key (in its test's hands alone), a sound token's claims, and its key's identifier."""


def signed(view: NamespaceView, claims: Claims, kid: str) -> str:
    return jwt.encode(claims, view.plane.signing.key.read_text(), algorithm="RS256", headers={"kid": kid})


def signed_by_another(view: NamespaceView, claims: Claims, kid: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})


def unsigned(view: NamespaceView, claims: Claims, kid: str) -> str:
    return jwt.encode(claims, "", algorithm="none", headers={"kid": kid})


def signed_with_the_public_key(view: NamespaceView, claims: Claims, kid: str) -> str:
    """The old trick: what everybody may read taken for a secret. PyJWT refuses to make it, so it is made by hand."""
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    parts = [{"alg": "HS256", "kid": kid}, claims]
    text = b".".join(jwt.utils.base64url_encode(json.dumps(part).encode()) for part in parts)
    signature = algorithm.sign(text, view.plane.signing.certificate.read_bytes())
    return (text + b"." + jwt.utils.base64url_encode(signature)).decode()


def with_another_s_pod(view: NamespaceView, claims: Claims, kid: str) -> str:
    header, _, signature = signed(view, claims, kid).split(".")
    claims = claims | {"kubernetes.io": claims["kubernetes.io"] | {"pod": {"name": "other", "uid": "other"}}}
    body = jwt.utils.base64url_encode(json.dumps(claims).encode()).decode()
    return f"{header}.{body}.{signature}"


PROVE_NOTHING: dict[str, Forger] = {
    "expired": lambda view, claims, kid: signed(view, claims | {"exp": int(time.time()) - 60}, kid),
    "not valid yet": lambda view, claims, kid: signed(view, claims | {"nbf": int(time.time()) + 600}, kid),
    "of another issuer": lambda view, claims, kid: signed(view, claims | {"iss": "https://another.example"}, kid),
    "signed by another": signed_by_another,
    "unsigned": unsigned,
    "the public key as a secret": signed_with_the_public_key,
    "changed afterwards": with_another_s_pod,
    "no token": lambda view, claims, kid: "not.a.token",
}


def test_a_forged_token_is_401(view: NamespaceView, operator: OperatorProcess, running_pod: str) -> None:
    token = token_of(view, running_pod)
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    answers = {how: send(operator, view, forge(view, claims, kid)) for how, forge in PROVE_NOTHING.items()}
    assert answers == dict.fromkeys(PROVE_NOTHING, 401)
    assert view.status()["progress"]["epoch"] == 0
    # What they were made of is sound, and so is the hand that made them.
    assert send(operator, view, signed(view, claims, kid)) == 200


def test_a_token_for_something_else_is_401(view: NamespaceView, operator: OperatorProcess, running_pod: str) -> None:
    tokens = {
        "for the API server": token_of(view, running_pod, audience=None),
        "for another audience": token_of(view, running_pod, audience="another"),
        "a service account's for the API server": view.plane.service_account_token(view.namespace, "default"),
        "an administrator's": view.plane.admin_token,
    }
    assert {whose: send(operator, view, token) for whose, token in tokens.items()} == dict.fromkeys(tokens, 401)
    assert view.status()["progress"]["epoch"] == 0


def test_a_token_of_someone_else_is_403(view: NamespaceView, operator: OperatorProcess, running_pod: str) -> None:
    view.apply("other")
    worn = next(pod for pod in view.pods() if pod["metadata"]["name"] == running_pod)["metadata"]["labels"]
    # With those that its Job looks for pods by, Kubernetes would make it the Job's own.
    labels = {name: value for name, value in worn.items() if name.startswith(f"{GROUP}/")}
    with namespace_of_its_own(view.plane, "by-hand-elsewhere") as elsewhere:
        tokens = {
            "a pod's of another run": token_of(view, view.pod_of(1, "other")),
            "a pod's that wears the run's labels": token_of(view, a_pod(view, view.namespace, labels)),
            "a pod's of the same name and labels elsewhere": view.plane.service_account_token(
                elsewhere, "default", audience=AUDIENCE, pod=a_pod(view, elsewhere, labels, running_pod)
            ),
            "a service account's of no pod": view.plane.service_account_token(
                view.namespace, "default", audience=AUDIENCE
            ),
            "a service account's elsewhere": view.plane.service_account_token(elsewhere, "default", audience=AUDIENCE),
        }
        # What a report does not say is which run it is for. The other run has ended by the time that its pod speaks.
        end(view, 1, "other")
        assert {whose: send(operator, view, token) for whose, token in tokens.items()} == dict.fromkeys(tokens, 403)
    assert view.status()["progress"]["epoch"] == 0


def test_a_pod_s_word_counts_for_its_own_run_alone(
    view: NamespaceView, operator: OperatorProcess, running_pod: str
) -> None:
    view.apply("other")
    pod = view.pod_of(1, "other")
    set_running(view.plane.api, view.namespace, pod)
    view.wait_for_phase("Running", "other")
    assert send(operator, view, token_of(view, pod), epoch=7) == 200
    view.eventually(lambda: view.status("other")["progress"]["epoch"] == 7, "its own run shows it")
    assert view.status()["progress"]["epoch"] == 0


def test_a_token_of_an_earlier_attempt_is_403(view: NamespaceView, operator: OperatorProcess, running_pod: str) -> None:
    token = token_of(view, running_pod)
    end(view, 1, exit_code=1)
    second = view.pod_of(2)
    set_running(view.plane.api, view.namespace, second)
    view.wait_for_phase("Running")
    for whose, attempt in ((token, 1), (token, 2), (token_of(view, second), 1)):
        assert send(operator, view, whose, attempt=attempt, sequence=99, epoch=9) == 403
    assert view.status()["progress"]["epoch"] == 0
    assert send(operator, view, token_of(view, second), attempt=2) == 200


def end(view: NamespaceView, attempt: int, name: str = "digits", exit_code: int = 0) -> None:
    """The attempt's pod ends, and that stands in status."""
    set_terminated(view.plane.api, view.namespace, view.pod_of(attempt, name), exit_code=exit_code)

    def has_ended() -> bool:
        # Its first Job, and so its pod, may be there before the attempt stands in status.
        return any(each["number"] == attempt and "endedAt" in each for each in view.status(name).get("attempts", ()))

    view.eventually(has_ended, f"attempt {attempt} has ended")


def a_pod(view: NamespaceView, namespace: str, labels: dict[str, str], name: str = "forged") -> str:
    """A pod that belongs to no Job, whatever its labels say."""
    container = {"name": "trainer", "image": "a"}
    view.plane.api.post(
        paths.pods(namespace), {"metadata": {"name": name, "labels": labels}, "spec": {"containers": [container]}}
    )
    return name
