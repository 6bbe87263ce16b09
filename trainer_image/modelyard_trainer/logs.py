"""Where log lines go: standard error for `kubectl logs`, and the file that is published with the results."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

ROOT = "modelyard"
_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


def log_to_stderr() -> None:
    """Write everything of Modelyard's own to standard error."""
    _add(logging.StreamHandler(sys.stderr))


def log_to_file(path: Path) -> logging.Handler:
    """Write everything of Modelyard's own to a file too, until the returned handler is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    _add(handler)
    return handler


def stop_logging_to(handler: logging.Handler) -> None:
    """Close what `log_to_file` opened."""
    logging.getLogger(ROOT).removeHandler(handler)
    handler.close()


def _add(handler: logging.Handler) -> None:
    formatter = logging.Formatter(_FORMAT, datefmt="%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger = logging.getLogger(ROOT)
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
