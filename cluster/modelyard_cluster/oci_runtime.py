"""runc for a machine whose root lacks CAP_SYS_RESOURCE (as root of some virtual machines and sandboxes does).

Docker's `--privileged`, which kind's nodes need, asks for every capability there is; runc then fails with `unable to
apply caps`. This program stands in front of runc: it takes out of the request what the machine cannot give, and becomes
runc. It is started by its path, so it leans on nothing beside it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

LACKING = "CAP_SYS_RESOURCE"


def without_lacking(process: dict[str, Any]) -> dict[str, Any]:
    """The OCI `process` object less what only CAP_SYS_RESOURCE allows: itself, a negative OOM score, higher limits."""
    kept = {
        kind: [name for name in names if name != LACKING] for kind, names in process.get("capabilities", {}).items()
    }
    return {
        **process,
        "capabilities": kept,
        "oomScoreAdj": max(0, process.get("oomScoreAdj", 0)),
        "rlimits": [],
    }


def rewrite(file: Path, inside: str | None) -> None:
    """Take the lacking out of a bundle's config.json (its `process`), or out of a file that is a process itself."""
    document = json.loads(file.read_text())
    if inside is None:
        document = without_lacking(document)
    elif inside in document:
        document[inside] = without_lacking(document[inside])
    file.write_text(json.dumps(document))


def option(arguments: list[str], *names: str) -> str | None:
    """The value of the first of `names` given as `--name value` or `--name=value`."""
    for position, word in enumerate(arguments):
        for name in names:
            if word == name and position + 1 < len(arguments):
                return arguments[position + 1]
            if word.startswith(name + "="):
                return word[len(name) + 1 :]
    return None


def main() -> None:
    """`oci_runtime.py RUNC ARGUMENTS...`: rewrite the request in place, then become RUNC."""
    runc, *arguments = sys.argv[1:]
    if "create" in arguments or "run" in arguments:
        rewrite(Path(option(arguments, "--bundle", "-b") or ".") / "config.json", "process")
    elif "exec" in arguments and (process := option(arguments, "--process", "-p")):
        rewrite(Path(process), None)
    os.execv(runc, [runc, *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
