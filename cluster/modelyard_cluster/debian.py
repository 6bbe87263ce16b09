"""Debian packages: the ones this machine lacks, unpacked beside it, and whole root file systems made of them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from .cache import cache_folder, fingerprint
from .shell import CommandFailed, run, succeeds

SUITE = "bookworm"


def unpack_missing(name: str, packages: Sequence[str]) -> Path:
    """Unpack what this machine lacks of `packages` and of what they depend on; return that folder, laid out as /.

    Nothing is installed: the machine stays as it was, and removing the cache removes everything.
    """
    folder = cache_folder() / "debian" / f"{name}-{fingerprint((), *packages)[:12]}"
    if folder.is_dir():
        return folder
    _refresh_lists(packages)
    plan = run("apt-get", "install", "--simulate", "--quiet", "--no-install-recommends", *packages)
    missing = re.findall(r"^Inst (\S+) .*?\((\S+)", plan, flags=re.MULTILINE)
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    archives = partial / "archives"
    archives.mkdir(parents=True)
    if missing:
        # APT::Sandbox: the unprivileged user that apt downloads as may not be able to write here.
        run("apt-get", "download", "-o", "APT::Sandbox::User=root", *(f"{p}={v}" for p, v in missing), cwd=archives)
    for archive in sorted(archives.glob("*.deb")):
        run("dpkg-deb", "--extract", archive, partial)
    shutil.rmtree(archives)
    partial.rename(folder)
    return folder


def search_path(folder: Path) -> dict[str, str]:
    """The environment in which programs of `unpack_missing` are found, and find their own libraries."""
    programs = [folder / place for place in ("usr/local/sbin", "usr/sbin", "usr/bin", "sbin", "bin")]
    libraries = [*folder.glob("usr/lib/*-linux-gnu"), *folder.glob("lib/*-linux-gnu")]
    environment = {"PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]])}
    if libraries:
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, libraries))
    for folder_of_plugins in folder.glob("usr/lib/*-linux-gnu/xtables"):
        environment["XTABLES_LIBDIR"] = str(folder_of_plugins)
    return environment


def debootstrap(target: Path, packages: Sequence[str]) -> None:
    """Make the smallest Debian that holds `packages` in the empty folder `target`; downloads are kept in the cache."""
    tools = unpack_missing("debootstrap", ["debootstrap"])
    archives = cache_folder() / "debian" / "archives"
    archives.mkdir(parents=True, exist_ok=True)
    environment = search_path(tools)
    scripts = tools / "usr/share/debootstrap"
    if scripts.is_dir():
        environment["DEBOOTSTRAP_DIR"] = str(scripts)
    run(
        "debootstrap",
        "--variant=minbase",
        f"--cache-dir={archives}",
        f"--include={','.join(packages)}",
        SUITE,
        target,
        *_mirror(),
        env=environment,
        log=target.with_suffix(".log"),
    )
    for waste in (
        "var/cache/apt",
        "var/lib/apt/lists",
        "usr/share/doc",
        "usr/share/man",
        "usr/share/locale",
        "var/log",
    ):
        for entry in (target / waste).glob("*"):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _refresh_lists(packages: Sequence[str]) -> None:
    """Fetch the package lists: always, since old ones name files that the archive has dropped."""
    if not succeeds("apt-get", "update", "--quiet") and not succeeds("apt-cache", "show", *packages):
        raise CommandFailed("`apt-get update` failed, and the lists at hand do not hold " + ", ".join(packages) + ".")


def _mirror() -> list[str]:
    """The archive this machine's own apt reads the suite from; none if it reads another suite (debootstrap has one)."""
    lines = run(
        "apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {SUITE}"
    ).splitlines()
    return lines[:1]
