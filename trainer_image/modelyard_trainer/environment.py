"""What a run was made with: packages, interpreter, machine, image, revision."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path

from modelyard_api.run_document import NODE_NAME_VARIABLE, POD_NAME_VARIABLE, POD_UID_VARIABLE, RunDocument

from modelyard_trainer.cpus import usable_cpus

REVISION_VARIABLE = "MODELYARD_REVISION"
"""Git revision of this code, set when an image is built."""


def describe_environment(document: RunDocument, device: str) -> dict[str, object]:
    """Everything that a person who wants the same result again would ask for."""
    packages = {str(each.metadata["Name"]).lower(): each.version for each in distributions() if each.metadata["Name"]}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "device": device,
        "cpus": usable_cpus(),
        "image": document.image,
        "revision": git_revision(),
        "node": os.environ.get(NODE_NAME_VARIABLE),
        "pod": os.environ.get(POD_NAME_VARIABLE),
        "podUid": os.environ.get(POD_UID_VARIABLE),
        "packages": dict(sorted(packages.items())),
    }


def git_revision() -> str | None:
    """The revision of this code: what the image says, or what git says of the folder it lies in; None if neither."""
    if told := os.environ.get(REVISION_VARIABLE):
        return told
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
