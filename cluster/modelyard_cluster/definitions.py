"""CustomResourceDefinitions, from being sent to an API server until it really serves them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .kube_api import ApiError, KubeApi

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CONFLICT = 409
_NOT_YET = frozenset({404, 429, 503})
"""What is answered for a definition that was established a moment ago."""


def install_definition(api: KubeApi, definition: Mapping[str, Any], seconds: float = 30) -> None:
    """Install the definition, unless it is there already, and wait until its objects and schema are served.

    Being Established comes too early: for a moment more the API server answers 404, or 429.

    Raises:
        ApiError: it was refused.
        TimeoutError: it is not served after so many seconds.
    """
    try:
        api.post(_DEFINITIONS, definition)
    except ApiError as refusal:
        if refusal.code != _CONFLICT:
            raise
    deadline = time.monotonic() + seconds
    while not _is_served(api, definition["spec"]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"The API server does not serve {definition['metadata']['name']} after {seconds:g} s.")
        time.sleep(0.1)


def _is_served(api: KubeApi, spec: Mapping[str, Any]) -> bool:
    group = f"apis/{spec['group']}/{spec['versions'][0]['name']}"
    try:
        api.get(f"/{group}/{spec['names']['plural']}?limit=1")
        return "components" in api.get(f"/openapi/v3/{group}")
    except ApiError as refusal:
        if refusal.code not in _NOT_YET:
            raise
        return False
