"""Building the programs of toolsets.py from their Go modules: once, with nothing half built left behind."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from .cache import binary_folder, cache_folder, exclusive, fingerprint
from .console import Steps, fail
from .shell import CommandFailed, run
from .toolsets import PROGRAMS, TOOL_SETS, ToolSet

OLDEST_GO = (1, 26)


def ensure_tools(*names: str) -> Path:
    """Build those of the named programs (all of them if none is named) that are missing or out of date.

    Whoever comes while another process builds waits for it. The Go caches, which grow to several GB, are removed at
    the end: only the programs and the kept sources stay.

    Returns:
        The folder that holds the programs.

    Raises:
        SystemExit: Go is missing or too old, or a name is unknown.
        CommandFailed: a program could not be built; what was built before it is kept.
    """
    wanted = names or tuple(PROGRAMS)
    for name in wanted:
        if name not in PROGRAMS:
            raise fail(f"There is no tool named {name}; there are {', '.join(PROGRAMS)}.")
    if not out_of_date(wanted):
        return binary_folder()
    with exclusive(cache_folder() / "tools.lock"):
        missing = out_of_date(wanted)
        if missing:
            require_go()
            step = Steps(len(missing))
            for name in missing:
                with step(f"Building {name} ({PROGRAMS[name].module} {PROGRAMS[name].version})"):
                    _build(name)
            shutil.rmtree(_go_folder(), ignore_errors=True)
    return binary_folder()


def tool(name: str) -> Path:
    """The path of one program, built first if need be."""
    return ensure_tools(name) / name


def source_folder(module: str) -> Path:
    """Where a module's kept folders lie, such as `kustomize/stage` of sigs.k8s.io/kwok; its programs come first."""
    tool_set = next(s for s in TOOL_SETS if s.module == module)
    ensure_tools(*tool_set.programs)
    return _sources(tool_set)


def out_of_date(names: Sequence[str]) -> list[str]:
    """Those programs that must be built, in the order of toolsets.py."""
    return [name for name in PROGRAMS if name in names and not _is_current(name)]


def _is_current(name: str) -> bool:
    tool_set, mark = PROGRAMS[name], _mark(name)
    return (
        (binary_folder() / name).is_file()
        and mark.is_file()
        and mark.read_text() == program_fingerprint(name)
        and all((_sources(tool_set) / kept).is_dir() for kept in tool_set.sources)
    )


def _mark(name: str) -> Path:
    return binary_folder() / f".{name}.fingerprint"


def program_fingerprint(name: str) -> str:
    """Of what the program is built from; known before it is built."""
    tool_set = PROGRAMS[name]
    files = [tool_set.go_mod, tool_set.go_mod.with_name("go.sum")]
    return fingerprint(files, tool_set.programs[name], *_flags(tool_set))


def _flags(tool_set: ToolSet) -> list[str]:
    return ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", tool_set.linker_flags]


def _build(name: str) -> None:
    """Build one program under another name and move it into place whole, its fingerprint last."""
    tool_set = PROGRAMS[name]
    folder = binary_folder()
    folder.mkdir(parents=True, exist_ok=True)
    _mark(name).unlink(missing_ok=True)
    unfinished = folder / f".{name}.unfinished"
    try:
        _go(tool_set, "build", *_flags(tool_set), "-o", str(unfinished), tool_set.programs[name])
        unfinished.replace(folder / name)
    finally:
        unfinished.unlink(missing_ok=True)
    _keep_sources(tool_set)
    _write_whole(_mark(name), program_fingerprint(name))


def _keep_sources(tool_set: ToolSet) -> None:
    if not tool_set.sources:
        return
    found = json.loads(_go(tool_set, "list", "-mod=readonly", "-m", "-json", tool_set.module))
    for kept in tool_set.sources:
        target = _sources(tool_set) / kept
        shutil.rmtree(target, ignore_errors=True)
        unfinished = target.with_name(f".{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(Path(found["Dir"]) / kept, unfinished)
        unfinished.replace(target)


def _sources(tool_set: ToolSet) -> Path:
    return cache_folder() / "sources" / f"{tool_set.module.replace('/', '_')}@{tool_set.version}"


def _write_whole(target: Path, text: str) -> None:
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.write_text(text)
    unfinished.replace(target)


def _go(tool_set: ToolSet, *arguments: str) -> str:
    """Run Go in a tool set's folder, at low priority, with caches that can be thrown away together."""
    environment = {
        "CGO_ENABLED": "0",
        # The linker throws tables for debuggers away (-s -w); not to make them saves a fifth of the compiler's time.
        "GOFLAGS": "-modcacherw -gcflags=all=-dwarf=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOMODCACHE": str(_go_folder() / "mod"),
        "GOCACHE": str(_go_folder() / "build"),
        "XDG_CONFIG_HOME": str(_go_folder() / "config"),
    }
    return run("nice", "go", *arguments, env=environment, cwd=tool_set.go_mod.parent)


def _go_folder() -> Path:
    return cache_folder() / "go"


def require_go() -> None:
    """End with a sentence unless Go is there and new enough."""
    wanted = ".".join(map(str, OLDEST_GO))
    try:
        version = run(
            "go", "env", "GOVERSION", env={"GOTOOLCHAIN": "local", "XDG_CONFIG_HOME": str(_go_folder() / "config")}
        ).strip()
    except CommandFailed:
        raise fail(
            f"Go {wanted} or newer is needed to build the cluster's programs; there is no `go` on PATH."
        ) from None
    found = re.match(r"go(\d+)\.(\d+)", version)
    if found is not None and (int(found[1]), int(found[2])) < OLDEST_GO:
        raise fail(f"Go {wanted} or newer is needed to build the cluster's programs; `go` on PATH is {version}.")
