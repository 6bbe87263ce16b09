"""Reports as a trainer sends them: with a projected token, trusting the authorities of the ConfigMap."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from modelyard_api.report import AUDIENCE
from modelyard_operator.kube import paths

from tests.integration.namespace_view import NamespaceView
from tests.integration.operator_process import OperatorProcess


def authorities(view: NamespaceView) -> dict[str, str]:
    data: dict[str, str] = view.plane.api.get(paths.config_map(view.namespace, "modelyard-intake-ca"))["data"]
    return data


def send(operator: OperatorProcess, view: NamespaceView, token: str, **report: Any) -> int:
    """POST a report as a trainer does: trusting what the ConfigMap says."""
    body = {"sequence": 1, "attempt": 1, "stage": "Training", "epoch": 3, "epochs": 100, "percent": 3} | report
    request = urllib.request.Request(
        operator.intake_url, json.dumps(body).encode(), {"Authorization": f"Bearer {token}"}, method="POST"
    )
    context = ssl.create_default_context(cadata="\n".join(authorities(view).values()))
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def token_of(view: NamespaceView, pod: str, audience: str | None = AUDIENCE) -> str:
    return view.plane.service_account_token(view.namespace, "default", audience=audience, pod=pod)
