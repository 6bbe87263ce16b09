"""Runs in a pod of the cluster: sends reports as it is told on standard input, and prints the answers' HTTP statuses.

Reads JSON: {"url": ..., "ca": PEM, "attempts": [{"token": ... or null, "report": {...}}, ...]}. Only the standard
library is used, so that nothing of the trainer makes the reports look right.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from typing import Any

_TOO_MANY = 429


def send(url: str, context: ssl.SSLContext, token: str | None, report: dict[str, Any]) -> int:
    """The HTTP status that one report gets; the pod whose token it is may have to wait until it may speak again."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    for _ in range(10):
        request = urllib.request.Request(url, json.dumps(report).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            if error.code != _TOO_MANY:
                return error.code
        time.sleep(1)
    return _TOO_MANY


def main() -> None:
    """Send all, print all."""
    asked = json.load(sys.stdin)
    context = ssl.create_default_context(cadata=asked["ca"])
    answers = [send(asked["url"], context, each["token"], each["report"]) for each in asked["attempts"]]
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
