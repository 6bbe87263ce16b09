"""What the operator's own configuration says about how runs are carried out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SILENCE_OF_ALL = timedelta(minutes=1)
"""When nobody has been heard for so long, who reports every few seconds, it is not the trainers that are at fault."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The part of the configuration that decisions and Jobs depend on."""

    trainer_image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    intake_url: str | None = None
    intake_config_map: str = "modelyard-intake-ca"
    report_interval: float = 5.0
    """Seconds between two reports of one trainer."""
    retry_delay: timedelta = timedelta(seconds=10)
    """Before the first retry; doubled for each further one."""
    longest_retry_delay: timedelta = timedelta(minutes=10)
    lost_pod_grace: timedelta = timedelta(seconds=60)
    """How long after its grace period a pod on an unreachable node is waited for."""
    tidy_after: timedelta = timedelta(seconds=10)
    """After its end a Job is told to expire: what is not urgent waits until the runs beside it have had their turn."""
    watching_since: datetime | None = None
    """When this process began to lead, and to hear reports: silence before that proves nothing."""
