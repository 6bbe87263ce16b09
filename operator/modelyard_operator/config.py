"""The operator's configuration: a flag for everything, and a variable of the environment for every flag."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """What `python -m modelyard_operator` is told."""

    trainer_image: str
    namespaces: tuple[str, ...] = ()
    """Watched namespaces; empty for all."""
    namespace: str | None = None
    """Where the Lease lies; the own namespace without it."""
    identity: str = ""
    """Name of this replica."""
    lease_name: str = "modelyard-operator"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    bind_address: str = "0.0.0.0"  # noqa: S104 - a pod is reached by its address
    probe_port: int = 8080
    """Probes and metrics, plain HTTP."""
    intake_port: int = 8443
    intake_url: str | None = None
    """What trainers are told; without it no progress is reported."""
    intake_tls_folder: Path | None = None
    """Folder of a mounted Secret (tls.crt, tls.key, ca.crt) used instead of a CA of this replica's own."""
    advertise_address: str = "127.0.0.1"
    """Address of this replica, to which standbys forward reports."""
    report_interval: float = 5.0
    workers: int = 32
    sweep_seconds: float = 300.0
    lease_seconds: int = 10
    retry_delay_seconds: float = 10.0
    lost_pod_grace_seconds: float = 60.0
    tidy_after_seconds: float = 10.0
    api_rate: float = 400.0
    api_burst: int = 400
    log_level: str = "INFO"


def read_config(arguments: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Flags first, then variables such as MODELYARD_TRAINER_IMAGE, then defaults.

    Raises:
        SystemExit: a value is missing or wrong; argparse has said which.
    """
    parsed = _parser(environment).parse_args(arguments)
    return Config(**vars(parsed))


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m modelyard_operator",
        description="The Modelyard operator. Every flag may be given as a variable instead: --probe-port as "
        "MODELYARD_PROBE_PORT.",
    )
    default = Config(trainer_image="")

    def option(flag: str, kind: object, help_text: str, fallback: object = None, *, required: bool = False) -> None:
        value = environment.get("MODELYARD_" + flag.removeprefix("--").replace("-", "_").upper())
        given = fallback if value is None or value == "" else value
        parser.add_argument(flag, type=kind, default=given, required=required and given is None, help=help_text)  # type: ignore[arg-type]

    option("--trainer-image", str, "image of trainer pods whose run names none", required=True)
    option("--namespaces", _names, "watched namespaces, separated by commas; all without it", ())
    option("--namespace", str, "namespace of the Lease; the operator's own without it")
    option("--identity", str, "name of this replica", socket.gethostname())
    option("--lease-name", str, "name of the Lease", default.lease_name)
    option("--image-pull-policy", str, "pull policy of trainer pods", default.image_pull_policy)
    option("--image-pull-secrets", _names, "pull secrets of trainer pods, separated by commas", ())
    option("--bind-address", str, "address to listen on", default.bind_address)
    option("--probe-port", int, "port of /healthz, /readyz and /metrics", default.probe_port)
    option("--intake-port", int, "port of the progress intake", default.intake_port)
    option(
        "--intake-url", str, "address of the intake that trainers are told, such as https://SERVICE.NAMESPACE.svc:8443"
    )
    option("--intake-tls-folder", Path, "folder with tls.crt, tls.key and ca.crt instead of a CA of our own")
    option("--advertise-address", str, "address at which other replicas reach this one", default.advertise_address)
    option("--report-interval", float, "seconds between two reports of a trainer", default.report_interval)
    option(
        "--workers",
        int,
        "runs looked at side by side; but for those that have no Job yet, a quarter as many",
        default.workers,
    )
    option("--sweep-seconds", float, "seconds between two lists of everything", default.sweep_seconds)
    option("--lease-seconds", int, "seconds after which a silent leader is replaced", default.lease_seconds)
    option("--retry-delay-seconds", float, "seconds before the first retry of a run", default.retry_delay_seconds)
    option(
        "--lost-pod-grace-seconds",
        float,
        "seconds after its grace period that a pod is waited for",
        default.lost_pod_grace_seconds,
    )
    option(
        "--tidy-after-seconds",
        float,
        "seconds after the end of a Job until it is told when to expire",
        default.tidy_after_seconds,
    )
    option("--api-rate", float, "requests a second to the API server", default.api_rate)
    option("--api-burst", int, "requests at once to the API server", default.api_burst)
    option("--log-level", str, "DEBUG, INFO, WARNING or ERROR", default.log_level)
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
