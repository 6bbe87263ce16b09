"""The Docker engine that builds images and runs the cluster's nodes: the machine's where there is one, else ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import leftovers, oci_runtime
from .cache import cache_folder, exclusive, state_folder
from .debian import search_path, unpack_missing
from .shell import CommandFailed, pipe, run, succeeds

_START_SECONDS = 60
_STOP_SECONDS = 20
_BUILD_CACHE = "20GB"  # the trainer's layers, twice


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers.

    Attributes:
        environment: what a program needs to reach it: DOCKER_HOST, and a PATH on which `docker` is.
        data: where our own engine keeps images and volumes; None for the machine's, whose data are not ours to touch.
    """

    environment: dict[str, str]
    data: Path | None

    def docker(
        self,
        *arguments: str | Path,
        stdin: str | bytes | None = None,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run `docker ARGUMENTS` and return what it printed; `env` is added to the client's environment."""
        return run("docker", *arguments, env={**self.environment, **(env or {})}, stdin=stdin, log=log)

    def has_image(self, name: str) -> bool:
        return succeeds("docker", "image", "inspect", name, env=self.environment)

    def image_id(self, name: str) -> str:
        return self.docker("image", "inspect", "--format", "{{.Id}}", name).strip()

    def pipe(self, source: Sequence[str], sink: Sequence[str]) -> None:
        """Stream the output of `docker SOURCE` into `docker SINK`."""
        pipe(("docker", *source), ("docker", *sink), env=self.environment)

    def keep_only(self, name: str) -> None:
        """Remove the other tags of an image, such as those of its former contents; what a container uses stays."""
        repository, _, tag = name.rpartition(":")
        for other in self.docker("images", "--format", "{{.Tag}}", repository).split():
            if other not in {tag, "<none>"}:
                succeeds("docker", "rmi", f"{repository}:{other}", env=self.environment)

    def can_pull(self, image: str) -> bool:
        """Fetch an image from its registry; whether it is here now."""
        return self.has_image(image) or succeeds("timeout", "900", "docker", "pull", image, env=self.environment)


def up() -> Engine:
    """The engine, started if no other answers. Whatever a killed one left behind is taken away first."""
    if (system := _system()) is not None:
        return system
    with exclusive(_lock()):
        if _answers(environment := _environment()):
            return Engine(environment, _data())
        crashed = _clean() or _has_containers()
        _start(environment)
        engine = Engine(environment, _data())
        if crashed:
            _remove_containers(engine)
        return engine


def running() -> Engine | None:
    """The engine if one answers; nothing is started."""
    if (system := _system()) is not None:
        return system
    environment = _environment(unpack=False)
    return Engine(environment, _data()) if environment and _answers(environment) else None


def down() -> None:
    """End our engine with its containers; images stay in the cache. An engine of the machine's own is left alone."""
    if not _folder().exists() and not has_leftovers():
        return
    if _system() is None and _has_containers():
        _remove_containers(up())
    with exclusive(_lock()):
        _stop()
        _clean()
        leftovers.remove_tree(_folder())
    _lock().unlink(missing_ok=True)


def has_leftovers() -> bool:
    """Whether our engine left anything: it runs, was killed, or containers of it are there."""
    return (_folder() / "docker.pid").exists() or _has_containers()


def _folder() -> Path:
    """All of the running engine but its images."""
    return state_folder() / "engine"


def _lock() -> Path:
    """Held while the engine is started or ended."""
    return _folder().with_suffix(".lock")


def _data() -> Path:
    """Images, layers and build caches, which outlive the engine."""
    return cache_folder() / "docker"


def _system() -> Engine | None:
    """An engine that the machine has already, as DOCKER_HOST or the default socket says."""
    if os.environ.get("DOCKER_HOST", "").endswith(str(_socket())):
        return None
    return Engine({"DOCKER_BUILDKIT": "1"}, data=None) if _answers({}) else None


def _another_answers() -> bool:
    """Whether an engine that is not ours works on this machine, also while DOCKER_HOST names ours."""
    default = {**_environment(unpack=False), "DOCKER_HOST": "unix:///var/run/docker.sock"}
    return _system() is not None or _answers(default)


def _socket() -> Path:
    return _folder() / "docker.sock"


def _answers(environment: dict[str, str]) -> bool:
    return succeeds("docker", "version", "--format", "{{.Server.Version}}", env=environment)


def _environment(unpack: bool = True) -> dict[str, str]:
    programs = _folder() / "bin"
    if unpack:
        programs.mkdir(parents=True, exist_ok=True)
        _link_programs(programs)
    return {
        "DOCKER_HOST": f"unix://{_socket()}",
        "DOCKER_BUILDKIT": "1",
        "DOCKER_CONFIG": str(_folder() / "client"),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }


def _packages() -> Path:
    return unpack_missing("engine", ["docker.io", "iptables"])


def _link_programs(folder: Path) -> None:
    """Put Debian's own client first: unlike later ones it builds with BuildKit without a plug-in."""
    client = _packages() / "usr/bin/docker"
    link = folder / "docker"
    if client.exists() and not link.exists():
        link.symlink_to(client)


def _daemon_environment() -> dict[str, str]:
    """What dockerd runs in: its helpers first on PATH, among them iptables as this kernel has it, and our runc."""
    environment = search_path(_packages())
    path = environment["PATH"]
    helpers = _folder() / "helpers"
    helpers.mkdir(exist_ok=True)
    for name in ("iptables", "ip6tables", "iptables-save", "iptables-restore"):
        flavours = [found for kind in ("nft", "legacy") if (found := shutil.which(_flavour(name, kind), path=path))]
        if shutil.which(name, path=path) is None and flavours and not (helpers / name).exists():
            (helpers / name).symlink_to(flavours[0])
    if not _may_set_limits():
        _put_before_runc(helpers, shutil.which("runc", path=path) or "runc")
    return {**environment, "PATH": f"{helpers}{os.pathsep}{path}"}


def _put_before_runc(helpers: Path, runc: str) -> None:
    """A copy of the program, and the machine's own Python: an engine outlives the checkout that it is started from."""
    program = shutil.copy(oci_runtime.__file__, helpers)
    (helpers / "runc").write_text(f'#!/bin/sh\nexec {Path(sys.executable).resolve()} -I -S {program} {runc} "$@"\n')
    (helpers / "runc").chmod(0o755)


def _flavour(name: str, kind: str) -> str:
    program, _, action = name.partition("-")
    return f"{program}-{kind}-{action}" if action else f"{program}-{kind}"


def _may_set_limits() -> bool:
    """Whether this process holds CAP_SYS_RESOURCE (bit 24 of its effective capabilities)."""
    effective = re.search(r"^CapEff:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    return effective is not None and bool(int(effective[1], 16) >> 24 & 1)


def _start(environment: dict[str, str]) -> None:
    folder = _folder()
    daemon_environment = _daemon_environment()
    leftovers.remember(folder / "before.json", daemon_environment)
    settings = {
        "data-root": str(_data()),
        "exec-root": str(folder / "exec"),
        "pidfile": str(folder / "docker.pid"),
        "hosts": [f"unix://{_socket()}"],
        "storage-driver": "overlay2",
        "cgroup-parent": f"/{leftovers.cgroup()}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "oom-score-adjust": 0,
        "log-opts": {"max-size": "10m"},
        "builder": {"gc": {"enabled": True, "defaultKeepStorage": _BUILD_CACHE}},
    }
    (folder / "daemon.json").write_text(json.dumps(settings, indent=1))
    log = folder / "dockerd.log"
    with log.open("ab") as output:
        daemon = subprocess.Popen(
            ["dockerd", "--config-file", str(folder / "daemon.json")],
            env={**os.environ, **daemon_environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(environment):
        if daemon.poll() is not None or time.monotonic() > deadline:
            end = log.read_text(errors="replace")[-3000:]
            raise CommandFailed(f"The Docker engine did not start; the end of {log}:\n{end}")
        time.sleep(0.2)


def _stop() -> None:
    file = _folder() / "docker.pid"
    if not file.exists():
        return
    process = int(file.read_text())
    if not _is_ours(process):
        return
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _is_ours(process) and time.monotonic() < deadline:
        time.sleep(0.1)


def _is_ours(process: int) -> bool:
    """Whether the process is our dockerd still, and not another that got its number, or its corpse."""
    try:
        return str(_folder()) in Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False


def _clean() -> bool:
    """Take away everything but the data; whether there was an engine that had not been stopped.

    Another engine's bridges and rules cannot be told from ours while it works, so that the network stays as it is then,
    and so do the folders that every engine uses.
    """
    crashed = (_folder() / "docker.pid").exists()
    leftovers.end_processes([_folder(), _data()])
    leftovers.unmount_below([_folder(), _data()])
    before = _folder() / "before.json"
    if before.exists() and not _another_answers():
        leftovers.restore(before, _daemon_environment())
    for entry in _folder().glob("*"):
        if entry.name not in {"bin", "helpers"}:
            leftovers.remove_tree(entry) if entry.is_dir() else entry.unlink()
    return crashed


def _has_containers() -> bool:
    return any((_data() / "containers").glob("*"))


def _remove_containers(engine: Engine) -> None:
    """Remove all containers with their volumes, and the networks made for them."""
    if containers := engine.docker("ps", "--all", "--quiet").split():
        engine.docker("rm", "--force", "--volumes", *containers)
    engine.docker("volume", "prune", "--force")
    engine.docker("network", "prune", "--force")
