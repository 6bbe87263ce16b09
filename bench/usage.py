"""What processes and the API server spent, read from /proc and from the API server's own metrics."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

_REQUESTS = re.compile(
    r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$",
    re.MULTILINE,
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE")


@dataclass(frozen=True)
class Usage:
    """CPU seconds (user and system) and memory of one process."""

    cpu_seconds: float
    peak_mib: float
    resident_mib: float


def usage(pid: int) -> Usage:
    """What a process has used so far, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    memory = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Vm")
    )

    def mib(name: str) -> float:
        return int(memory[name].split()[0]) / 1024

    return Usage(ticks / os.sysconf("SC_CLK_TCK"), mib("VmHWM"), mib("VmRSS"))


def writes(metrics: str) -> dict[str, int]:
    """Successful writes that an API server has answered so far, as `VERB resource/subresource` to count."""
    counts: dict[str, int] = {}
    for match in _REQUESTS.finditer(metrics):
        labels = dict(_LABEL.findall(match["labels"]))
        if labels["verb"] in WRITES and labels["code"].startswith("2"):
            resource = "/".join(part for part in (labels["resource"], labels["subresource"]) if part)
            key = f"{labels['verb']} {resource}"
            counts[key] = counts.get(key, 0) + int(float(match["count"]))
    return counts
