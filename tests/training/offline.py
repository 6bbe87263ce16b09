"""`modelyard train` where there is no network, as a person would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

# Ends the process at the first connection to anything but a local socket, and at the first name that is looked up.
_NO_NETWORK = """
import socket, sys
def refuse(event, arguments):
    if event == 'socket.getaddrinfo' or (event == 'socket.connect' and isinstance(arguments[1], tuple)):
        raise SystemExit(f'network: {event} {arguments[1:] if event == "socket.connect" else arguments}')
sys.addaudithook(refuse)
from modelyard_cli.main import main
main()
"""


def train_offline(root: Path, manifest: Path, dataset: Path, *settings: str) -> Path:
    """What it leaves below `root`, with the network forbidden; `settings` are those of --set."""
    words = ["train", str(manifest), *(word for setting in settings for word in ("--set", setting))]
    ended = subprocess.run(
        [
            *("unshare", "--net", sys.executable, "-c", _NO_NETWORK, *words),
            *("--dataset", str(dataset), "--output", "out", "--scratch", "scratch"),
        ],
        cwd=root,
        env={**os.environ, "HOME": str(root / "home"), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not (root / "home").exists()
    return root / "out"


def read_json(path: Path) -> Any:
    """What a JSON file holds."""
    return json.loads(path.read_text())
