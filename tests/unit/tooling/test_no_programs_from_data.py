"""No file of ours makes a program of data: ruff sees most of this, but not in tests, and not torch.load."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
FORBIDDEN = {
    "eval": "it runs what it is given",
    "exec": "it runs what it is given",
    "os.system": "a shell runs what it is given; subprocess takes a list",
    "os.popen": "a shell runs what it is given; subprocess takes a list",
    "pickle.load": "a pickle is a program",
    "pickle.loads": "a pickle is a program",
    "pickle.Unpickler": "a pickle is a program",
    "dill.load": "a pickle is a program",
    "joblib.load": "a pickle is a program",
    "marshal.loads": "it is code",
    "shelve.open": "a pickle is a program",
    "pandas.read_pickle": "a pickle is a program",
    "yaml.unsafe_load": "it makes any object",
    "yaml.full_load": "it makes many an object",
    "yaml.unsafe_load_all": "it makes any object",
    "yaml.full_load_all": "it makes many an object",
    "shutil.unpack_archive": "an archive may lead out of its folder",
    "tempfile.mktemp": "somebody else may be quicker",
}
OF_TARBALLS_AND_ZIPS = ("extract", "extractall")
SHELLS = {"subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell"}


def sources() -> list[Path]:
    """Every Python file that git knows or would know."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.split()
    return [REPOSITORY / name for name in listed if (REPOSITORY / name).exists()]


def offences(text: str) -> list[str]:
    """A sentence for each call that would make a program of data."""
    tree = ast.parse(text)
    safe = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) if _is_safe_loader(node)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [f"line {call.lineno}: {found}" for call in calls for found in _found(call, safe)]


def _found(call: ast.Call, safe_loaders: set[str]) -> Iterator[str]:
    name = ast.unparse(call.func)
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if name in FORBIDDEN:
        yield f"{name}: {FORBIDDEN[name]}"
    if name in SHELLS or given.get("shell", "False") != "False":
        yield f"{name}: a shell runs what it is given; a list would be right"
    if name == "torch.load" and given.get("weights_only") != "True":
        yield "torch.load: a pickle is a program; weights_only=True would be right"
    if name.endswith(".load") and given.get("allow_pickle", "False") != "False":
        yield f"{name}: a pickle is a program; allow_pickle=False would be right"
    if name in ("yaml.load", "yaml.load_all") and given.get("Loader") not in {"yaml.SafeLoader", *safe_loaders}:
        yield f"{name}: it makes any object; a Loader that is a SafeLoader would be right"
    if name.rpartition(".")[2] in OF_TARBALLS_AND_ZIPS and "." in name and given.get("filter") != "'data'":
        yield f"{name}: an archive may lead out of its folder; filter='data' would be right"


def _is_safe_loader(node: ast.ClassDef) -> bool:
    return [ast.unparse(base) for base in node.bases] == ["yaml.SafeLoader"]


def test_no_file_makes_a_program_of_data() -> None:
    found = {path: offences(path.read_text(encoding="utf-8")) for path in sources()}
    assert len(found) > 100
    assert {str(path.relative_to(REPOSITORY)): lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "eval('1')",
        "exec('1')",
        "pickle.loads(b'')",
        "torch.load('a')",
        "torch.load('a', weights_only=False)",
        "torch.load('a', weights_only=careless)",
        "numpy.load('a', allow_pickle=True)",
        "yaml.load('a')",
        "yaml.load('a', Loader=yaml.Loader)",
        "yaml.load('a', Loader=Elsewhere)",
        "subprocess.run('ls', shell=True)",
        "subprocess.getoutput('ls')",
        "os.system('ls')",
        "tar.extractall('here')",
    ],
)
def test_each_such_call_would_be_noticed(line: str) -> None:
    assert len(offences(line)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "torch.load('a', weights_only=True)",
        "yaml.safe_load('a')",
        "yaml.load('a', Loader=yaml.SafeLoader)",
        "class Mine(yaml.SafeLoader): ...\nyaml.load('a', Loader=Mine)",
        "subprocess.run(['ls'], shell=False)",
        "tar.extractall('here', filter='data')",
        "model.eval()",
    ],
)
def test_what_is_safe_is_left_alone(text: str) -> None:
    assert offences(text) == []
