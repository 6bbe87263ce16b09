"""The image that quick stories run: the trainer's own, without torch, and with the task in tests/plugin_task."""

from __future__ import annotations

from pathlib import Path

from modelyard_cluster import images
from modelyard_cluster.cache import REPOSITORY, fingerprint
from modelyard_cluster.engine import Engine

_DOCKERFILE = Path(__file__).with_name("Dockerfile")
_TASK = REPOSITORY / "tests" / "plugin_task"


def build_plugin_image(engine: Engine) -> str:
    """Build it unless it is there already; return its name with its tag."""
    base = images.build(engine, images.TRAINER_TEST)
    tag = f"modelyard-trainer-plugin:{fingerprint([_DOCKERFILE, _TASK], base)[:12]}"
    if not engine.has_image(tag):
        images.build_in(engine, _TASK, str(_DOCKERFILE), tag, BASE_IMAGE=base)
        engine.keep_only(tag)
    return tag
