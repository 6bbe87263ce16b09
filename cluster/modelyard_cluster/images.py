"""Docker images, each named after a fingerprint of what it is made of, so that nothing is made twice."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .cache import REPOSITORY, binary_folder, cache_folder, fingerprint
from .console import say
from .debian import SUITE, debootstrap
from .engine import Engine
from .shell import CommandFailed

STOCK_BASE = "python:3.11-slim-bookworm"
"""What the Dockerfiles stand on where an image registry is in reach."""

_BASE_PACKAGES = ("ca-certificates", "python3", "python3-venv")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PROXY = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Recipe:
    """An image that a Dockerfile of the repository makes.

    Attributes:
        name: the repository part of its name, such as `modelyard-operator`.
        dockerfile, sources: paths below the repository; `sources` is all that the Dockerfile copies.
        target: the stage to stop at, if not the last.
    """

    name: str
    dockerfile: str
    sources: tuple[str, ...]
    target: str | None = None


OPERATOR = Recipe(
    "modelyard-operator",
    "operator/Dockerfile",
    ("locks/uv.txt", "locks/operator.txt", "crds/modelyard_api", "operator/modelyard_operator"),
)
TRAINER = Recipe(
    "modelyard-trainer",
    "trainer_image/Dockerfile",
    ("locks/uv.txt", "locks/detection.txt", "crds/modelyard_api", "trainer_image/modelyard_trainer"),
    target="detection",
)
# Tests of what surrounds a training need no torch.
TRAINER_TEST = Recipe(
    "modelyard-trainer-test",
    "trainer_image/Dockerfile",
    ("locks/uv.txt", "locks/trainer.txt", "crds/modelyard_api", "trainer_image/modelyard_trainer", "tests/plugin_task"),
    target="test",
)
DATASET = Recipe(
    "modelyard-digits",
    "examples/digits/Dockerfile",
    ("locks/uv.txt", "locks/digits.txt", "examples/digits/make_dataset.py", "examples/digits/bucket.py"),
)


def base_image(engine: Engine) -> str:
    """The image with Python 3.11 that all others stand on: the stock one, or one made from Debian's packages."""
    for name in (STOCK_BASE, _debian_base()):
        if engine.has_image(name):
            return name
    return STOCK_BASE if engine.can_pull(STOCK_BASE) else debian_base(engine)


def debian_base(engine: Engine) -> str:
    """An image of the smallest Debian with Python, made with debootstrap."""
    tag = _debian_base()
    if not engine.has_image(tag):
        say(f"  making {tag} with debootstrap")
        with scratch_folder() as folder:
            tree = folder / "tree"
            debootstrap(tree, _BASE_PACKAGES)
            import_tree(engine, tree, tag, ["ENV LANG=C.UTF-8", 'CMD ["python3"]'])
    return tag


def _debian_base() -> str:
    return f"modelyard-base:{fingerprint((), SUITE, *_BASE_PACKAGES)[:12]}"


def build(engine: Engine, recipe: Recipe) -> str:
    """Build an image unless it is there already; return its name with its tag."""
    base = base_image(engine)
    inputs = [REPOSITORY / recipe.dockerfile, *(REPOSITORY / source for source in recipe.sources)]
    tag = f"{recipe.name}:{fingerprint(inputs, base, recipe.target or '')[:12]}"
    if engine.has_image(tag):
        return tag
    say(f"  building {tag} from {recipe.dockerfile}")
    build_in(engine, REPOSITORY, recipe.dockerfile, tag, target=recipe.target, BASE_IMAGE=base, REVISION=_revision())
    engine.keep_only(tag)
    return tag


def _revision() -> str:
    """The git revision of what is built; empty where this is no git checkout."""
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=40", "--dirty"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip()


def build_in(
    engine: Engine, context: Path, dockerfile: str, tag: str, *, target: str | None = None, **arguments: str
) -> None:
    """Build an image in the folder `context`; `arguments` are the Dockerfile's ARGs. The log is kept in the cache."""
    log = cache_folder() / "logs" / f"{re.sub(r'[^a-z0-9.-]+', '-', tag.rsplit(':', 1)[0])}.log"
    log.unlink(missing_ok=True)
    arguments = {**{name: os.environ[name] for name in _PROXY if name in os.environ}, **arguments}
    engine.docker(
        "build",
        *(word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")),
        *(("--secret", f"id=certificates,src={_CERTIFICATES}") if _CERTIFICATES.exists() else ()),
        *(("--target", target) if target else ()),
        "--progress=plain",
        "--file",
        context / dockerfile,
        "--tag",
        tag,
        context,
        log=log,
    )


def import_tree(engine: Engine, tree: Path, tag: str, changes: Sequence[str]) -> None:
    """Make the folder `tree` an image of one layer; `changes` are Dockerfile lines such as `ENTRYPOINT [...]`."""
    options = [word for change in changes for word in ("--change", change)]
    with subprocess.Popen(
        ["tar", "--numeric-owner", "--directory", str(tree), "--create", "."], stdout=subprocess.PIPE
    ) as tar:
        done = subprocess.run(
            ["docker", "import", *options, "-", tag],
            stdin=tar.stdout,
            capture_output=True,
            env={**os.environ, **engine.environment},
            check=False,
        )
    if done.returncode != 0 or tar.returncode != 0:
        raise CommandFailed(f"`docker import` of {tree} as {tag} failed: {done.stderr.decode()[-2000:]}")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder on the cache's disk, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=cache_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def link_programs(folder: Path, programs: Iterable[str]) -> None:
    """Put programs built from Go modules into a build's context: hard links, since nothing but their content counts."""
    folder.mkdir(exist_ok=True)
    for name in programs:
        os.link(binary_folder() / name, folder / name)
