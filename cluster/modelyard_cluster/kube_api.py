"""The Kubernetes API over plain HTTPS and JSON: enough to set up clusters and to check them, with nothing installed."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(RuntimeError):
    """The API server refused a request.

    Attributes:
        code: HTTP status.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class KubeApi:
    """One API server and the bearer token to speak to it with.

    Args:
        url: such as https://127.0.0.1:6443.
        ca: the PEM text of the authority that signed the server's certificate.
        token: bearer token.
    """

    def __init__(self, url: str, ca: str, token: str) -> None:
        self.url = url
        self._context = ssl.create_default_context(cadata=ca)
        self._token = token

    def read(self, path: str, *, timeout_seconds: float = 10.0) -> str:
        """GET `path` and return the body as text.

        Raises:
            ApiError: any status other than 2xx.
            OSError: the server cannot be reached.
        """
        return self._send("GET", path, None, {}, timeout_seconds)

    def get(self, path: str) -> Any:
        """GET `path` as JSON. Raises as `read`."""
        return json.loads(self.read(path))

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create an object below the collection `path`. Raises as `read`."""
        return json.loads(self._send("POST", path, body, {"Content-Type": "application/json"}))

    def patch(self, path: str, body: Mapping[str, Any], content_type: str = MERGE_PATCH) -> Any:
        """Patch the object, or the subresource, at `path`. Raises as `read`."""
        return json.loads(self._send("PATCH", path, body, {"Content-Type": content_type}))

    def delete(self, path: str) -> Any:
        """Delete the object at `path`. Raises as `read`."""
        return json.loads(self._send("DELETE", path, None, {}))

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        timeout_seconds: float = 30.0,
    ) -> str:
        request = urllib.request.Request(  # noqa: S310 - the URL is the cluster's own, always https
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self._token}", "Accept": "application/json, */*", **headers},
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )
        try:
            with opener.open(request, timeout=timeout_seconds) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refusal:
            text = refusal.read().decode(errors="replace")
            raise ApiError(refusal.code, f"{method} {path}: {refusal.code} {_message(text)}") from None


def _message(text: str) -> str:
    """What a Status object says, or the text itself."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:1000]
