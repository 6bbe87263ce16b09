"""Taking away what a Docker engine leaves behind, whether it was stopped or killed: processes, mounts, network."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .cache import DEFAULT_STATE, fingerprint, state_folder
from .shell import CommandFailed, run

_CGROUPS = Path("/sys/fs/cgroup")
_LINKS = Path("/sys/class/net")

_TABLES = ("nat", "filter", "raw")
_MADE_BY_DOCKERD = (
    "/etc/docker/key.json",
    "/etc/docker",
    "/run/docker/plugins",
    "/run/docker",
    "/run/containerd/s",
    "/run/containerd",
)
"""Outside of the folders that it is given; what is in a folder comes before it."""
_SYSCTLS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding")
# Docker's port proxies need no mention: the kernel ends them with their dockerd.
_DAEMONS = frozenset(
    {"dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v1", "containerd-shim-runc-v2", "runc"}
    | {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}
)
_OUR_BRIDGE = re.compile(r"docker0|br-[0-9a-f]{12}")


def cgroup() -> str:
    """The cgroup below which all containers of our engine live, so that none of their processes can be missed.

    An engine with a state folder of its own has a cgroup of its own as well.
    """
    state = state_folder()
    return "modelyard" if state == DEFAULT_STATE else f"modelyard-{fingerprint((), str(state))[:8]}"


def end_processes(folders: Iterable[Path]) -> None:
    """Kill every process of our containers, and every daemon such as we start that works below one of `folders`.

    Who merely names such a folder, as a pager or an editor that shows a log does, is left alone.
    """
    working = list(folders)
    for _ in range(50):
        left = _processes_in_cgroup() | _daemons_below(working)
        if not left:
            break
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)
    for folder in sorted(_cgroups(), key=lambda path: -len(path.parts)):
        try:
            folder.rmdir()
        except OSError:
            continue


def unmount_below(folders: Iterable[Path]) -> None:
    """Unmount whatever is mounted below `folders`, innermost first."""
    roots = [str(folder) + "/" for folder in folders]
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    for point in sorted(points, key=len, reverse=True):
        if any(f"{point}/".startswith(root) for root in roots):
            run("umount", "--lazy", point)


def remember(file: Path, env: Mapping[str, str]) -> None:
    """Write down the settings that the engine is going to change, and what others' engines have made before it."""
    policy = re.search(r"^-P FORWARD (\w+)", run("iptables", "-S", "FORWARD", env=env), re.MULTILINE)
    before = {
        "sysctls": {name: _sysctl(name).read_text().strip() for name in _SYSCTLS if _sysctl(name).exists()},
        "forward": policy[1] if policy else "ACCEPT",
        "bridges": sorted(link.name for link in _LINKS.iterdir() if _OUR_BRIDGE.fullmatch(link.name)),
        "rules": {table: _rules(table, env) for table in _TABLES},
        "absent": [path for path in _MADE_BY_DOCKERD if not Path(path).exists()],
    }
    file.write_text(json.dumps(before))


def restore(file: Path, env: Mapping[str, str]) -> None:
    """Remove the engine's bridges, interfaces, rules and stray files, and put the settings back as `file` has them.

    What `file` knows was there before, such as the bridges, chains and rules of a stopped engine, stays.
    """
    before = json.loads(file.read_text()) if file.exists() else {}
    subnets = _remove_bridges(kept=before.get("bridges", []))
    for table in _TABLES:
        _remove_rules(table, subnets, env, kept=before.get("rules", {}).get(table, []))
    if not before:
        return
    run("iptables", "-P", "FORWARD", before["forward"], env=env)
    for name, value in before["sysctls"].items():
        _sysctl(name).write_text(value)
    _remove_made(map(Path, before["absent"]))


def remove_tree(folder: Path) -> None:
    """Remove a folder that nothing is mounted in any more."""
    shutil.rmtree(folder, ignore_errors=True)


def _cgroups() -> list[Path]:
    name = cgroup()
    roots = [*_CGROUPS.glob(name), *_CGROUPS.glob(f"*/{name}")]  # cgroup v2, and every controller of v1
    return [path for root in roots for path in (root, *(p for p in root.rglob("*") if p.is_dir()))]


def _processes_in_cgroup() -> set[int]:
    found: set[int] = set()
    for folder in _cgroups():
        try:
            found.update(map(int, (folder / "cgroup.procs").read_text().split()))
        except OSError:
            continue
    return found - {0}


def _daemons_below(folders: Sequence[Path]) -> set[int]:
    """Daemons with a path below one of `folders` in their arguments, less ourselves and those that started us."""
    # A longer path that merely ends like ours, as a backup's does, is another one: unix:///ours/x, but not /mnt/ours/x.
    below = re.compile("|".join(rf"(?<![\w.-]){re.escape(str(folder))}/" for folder in folders))
    found: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            program = (entry / "exe").readlink().name.removesuffix(" (deleted)")
            _, *arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if program in _DAEMONS and any(below.search(argument) for argument in arguments):
            found.add(int(entry.name))
    return found - _ancestors()


def _ancestors() -> set[int]:
    process, found = os.getpid(), set()
    while process:
        found.add(process)
        status = Path(f"/proc/{process}/status").read_text()
        parent = re.search(r"^PPid:\s*(\d+)", status, re.MULTILINE)
        process = int(parent[1]) if parent else 0
    return found


def _remove_bridges(kept: Sequence[str]) -> list[str]:
    """Delete Docker's bridges but `kept`, with what plugs in; return their subnets as `172.18.`-like beginnings."""
    links = json.loads(run("ip", "-json", "address", "show") or "[]")
    bridges = [link for link in links if _OUR_BRIDGE.fullmatch(link["ifname"]) and link["ifname"] not in kept]
    names = {link["ifname"] for link in bridges}
    for link in links:
        if link.get("master") in names:
            _delete_link(link["ifname"])
    for name in names:
        _delete_link(name)
    addresses = [a["local"] for link in bridges for a in link.get("addr_info", []) if a["family"] == "inet"]
    return [".".join(address.split(".")[:2]) + "." for address in addresses]


def _delete_link(name: str) -> None:
    """Delete a network interface, unless it is gone: one end of a pair goes with the other end's namespace."""
    try:
        run("ip", "link", "delete", name)
    except CommandFailed:
        if (_LINKS / name).exists():
            raise


def _remove_rules(table: str, subnets: list[str], env: Mapping[str, str], kept: Sequence[str]) -> None:
    """Delete the engine's rules and chains but `kept`: known by Docker's chain names, its bridges, and its subnets."""
    lines = [line for line in _rules(table, env) if line not in kept]
    ours = re.compile(
        "|".join(
            ["DOCKER", r"docker0|br-[0-9a-f]{12}", *(rf"-[sd] {re.escape(subnet)}\d+\.\d+/" for subnet in subnets)]
        )
    )
    for line in lines:
        if line.startswith("-A ") and ours.search(line):
            run("iptables", "-t", table, "-D", *line.split()[1:], env=env)
    for line in lines:
        if line.startswith("-N DOCKER"):
            run("iptables", "-t", table, "-X", line.split()[1], env=env)


def _remove_made(paths: Iterable[Path]) -> None:
    """Remove files, and folders that nothing is in, one after another."""
    for path in paths:
        if path.is_file():
            path.unlink()
        else:
            with suppress(OSError):
                path.rmdir()


def _rules(table: str, env: Mapping[str, str]) -> list[str]:
    """The table's chains and rules as `iptables -S` prints them."""
    try:
        return run("iptables", "-t", table, "-S", env=env).splitlines()
    except CommandFailed:
        return []  # a kernel without this table holds none of its rules


def _sysctl(name: str) -> Path:
    return Path("/proc/sys") / name
