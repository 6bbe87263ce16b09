"""Programs are built once, whole or not at all: with the real Go, on a module of one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard_cluster import tools, toolsets
from modelyard_cluster.cache import binary_folder
from modelyard_cluster.shell import CommandFailed, run
from modelyard_cluster.toolsets import ToolSet

_HELLO = ToolSet(
    "hello",
    "example.test/hello",
    {"hello": "example.test/hello"},
    stamps={"main.version": "{version}/{major}.{minor}"},
    sources=("kept",),
)
_BROKEN = 'package main\n\nimport _ "example.test/nowhere"\n\nfunc main() {}\n'


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The source of `hello`, which prints its version, and a tool set that holds nothing else; the cache is empty."""
    folder = tmp_path / "tools" / "hello"
    source = folder / "source"
    (source / "kept").mkdir(parents=True)
    (source / "kept" / "data.txt").write_text("kept")
    (source / "go.mod").write_text("module example.test/hello\n\ngo 1.21\n")
    (source / "main.go").write_text("package main\n\nvar version string\n\nfunc main() { print(version) }\n")
    (folder / "go.mod").write_text(
        "module tools\n\ngo 1.21\n\nrequire example.test/hello v1.2.3\n\nreplace example.test/hello => ./source\n"
    )
    (folder / "go.sum").write_text("")
    monkeypatch.setattr(toolsets, "TOOLS_FOLDER", tmp_path / "tools")
    monkeypatch.setattr(tools, "TOOL_SETS", (_HELLO,))
    monkeypatch.setattr(tools, "PROGRAMS", {"hello": _HELLO})
    monkeypatch.setenv("MODELYARD_CACHE", str(tmp_path / "cache"))
    return source


def test_builds_once_and_again_only_after_a_change(module: Path, tmp_path: Path) -> None:
    hello = tools.tool("hello")
    assert _output(hello) == "v1.2.3/1.2"
    assert (tools.source_folder("example.test/hello") / "kept" / "data.txt").read_text() == "kept"
    assert not (tmp_path / "cache" / "go").exists()

    built = hello.stat().st_mtime_ns
    tools.ensure_tools()
    assert hello.stat().st_mtime_ns == built

    # Building the runtime of Go again would take long: that Go is asked at all shows that the change was seen.
    (module / "main.go").write_text(_BROKEN)
    tools.ensure_tools()
    go_mod = module.parent / "go.mod"
    go_mod.write_text(go_mod.read_text().replace("v1.2.3", "v1.2.4"))
    with pytest.raises(CommandFailed, match="nowhere"):
        tools.ensure_tools()


def test_a_build_that_fails_leaves_nothing_that_looks_built(module: Path) -> None:
    (module / "main.go").write_text(_BROKEN)
    for _ in range(2):
        with pytest.raises(CommandFailed, match="nowhere"):
            tools.ensure_tools("hello")
    assert list(binary_folder().iterdir()) == []


@pytest.mark.parametrize(
    ("go", "sentence"),
    [
        (None, "Go 1.26 or newer is needed to build the cluster's programs; there is no `go` on PATH."),
        ("go1.21.9", "Go 1.26 or newer is needed to build the cluster's programs; `go` on PATH is go1.21.9."),
    ],
)
@pytest.mark.usefixtures("module")
def test_says_which_go_is_needed(
    go: str | None,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    programs = tmp_path / "path"
    programs.mkdir()
    if go is not None:
        (programs / "go").write_text(f"#!/bin/sh\necho {go}\n")
        (programs / "go").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(SystemExit):
        tools.ensure_tools()
    assert capsys.readouterr().err == f"modelyard: {sentence}\n"


@pytest.mark.usefixtures("module")
def test_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tools.ensure_tools("helo")
    assert capsys.readouterr().err == "modelyard: There is no tool named helo; there are hello.\n"


def test_every_tool_set_is_pinned_with_checksums() -> None:
    for tool_set in toolsets.TOOL_SETS:
        assert tool_set.version.startswith("v")
        assert f"{tool_set.module} {tool_set.version} h1:" in tool_set.go_mod.with_name("go.sum").read_text()


def _output(program: Path) -> str:
    """What Go's `print` wrote, which is standard error."""
    return run("sh", "-c", f"{program} 2>&1")
