"""ultralytics without its habits: no downloads, no telemetry, no integrations, no fonts fetched, no threads too many.

Everything here runs before, or right after, the first import of ultralytics, and before that of ONNX Runtime.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path

from modelyard_trainer.tasks.offline import silence

_FONT_NAMES = ("Arial.ttf", "Arial.Unicode.ttf")
_INTEGRATIONS = ("sync", "clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb", "vscode_msg")
_SILENT = ("openvino_msg",)
_log = logging.getLogger("modelyard.ultralytics")


def prepare(scratch: Path, threads: int) -> None:
    """Make `import ultralytics` harmless in this process: settings below `scratch`, `threads` CPU threads.

    Calling it again changes the number of threads and nothing else.
    """
    silence(scratch, threads)
    folder = scratch / "ultralytics"
    os.environ |= {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",  # its progress bars; its log lines come through our logger
        "YOLO_CONFIG_DIR": str(folder),
        "ULTRALYTICS_SAFE_LOAD": "true",
        "NO_ALBUMENTATIONS_UPDATE": "1",
    }
    if "ultralytics" not in sys.modules:
        _provide_fonts(folder / "Ultralytics")
        _import()
    _limit(threads)


def _provide_fonts(folder: Path) -> None:
    """Matplotlib's own font under the names that ultralytics would download."""
    import matplotlib  # noqa: PLC0415 - seconds

    folder.mkdir(parents=True, exist_ok=True)
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    for name in _FONT_NAMES:
        shutil.copyfile(font, folder / name)


def _import() -> None:
    from ultralytics import settings  # noqa: PLC0415 - seconds
    from ultralytics.data import base  # noqa: PLC0415
    from ultralytics.utils import LOGGER, callbacks  # noqa: PLC0415

    settings.update(dict.fromkeys((*_INTEGRATIONS, *_SILENT), False))
    # Each trainer, validator and exporter would add them by itself, settings or not: usage events and a platform.
    callbacks.add_integration_callbacks = _none
    base.LOCAL_RANK = 1  # its progress bar of a cache is the first rank's, and is shown whatever YOLO_VERBOSE says
    LOGGER.handlers.clear()
    LOGGER.addHandler(_Relay())
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def _limit(threads: int) -> None:
    import torch  # noqa: PLC0415 - seconds
    from ultralytics.data import base, dataset  # noqa: PLC0415
    from ultralytics.utils import torch_utils  # noqa: PLC0415

    # It counts the machine's cores and leaves one free, one thread of two; and sets torch's again before it trains.
    for module in (base, dataset, torch_utils):
        module.NUM_THREADS = threads
    torch.set_num_threads(threads)


def _none(_instance: object) -> None:
    """Add nothing."""


class _Relay(logging.Handler):
    """Hands ultralytics' log lines to ours, without colours, and its chatter only for those who debug."""

    _ANSI = str.maketrans("", "", "\r")

    def emit(self, record: logging.LogRecord) -> None:
        text = _plain(record.getMessage())
        if text:
            _log.log(record.levelno if record.levelno >= logging.WARNING else logging.DEBUG, "%s", text)


def _plain(text: str) -> str:
    import re  # noqa: PLC0415

    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).strip()
