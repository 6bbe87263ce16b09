"""The last word of an attempt, small enough for the kubelet to keep."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from modelyard_api.outcome import MAX_TERMINATION_MESSAGE, Reason, TerminationMessage
from modelyard_api.status import BestEpoch, MetricValue

from modelyard_trainer.destination import Published
from modelyard_trainer.progress import Snapshot

TERMINATION_LOG = Path("/dev/termination-log")
_LONGEST_MESSAGE = 1024
_log = logging.getLogger("modelyard.process")
_DIGITS = 5
_VAST = 1e15


def termination_message(
    snapshot: Snapshot, reason: Reason, message: str, published: Published | None, primary: str | None
) -> TerminationMessage:
    """What is known at the end."""
    best = snapshot.best
    return TerminationMessage(
        attempt=snapshot.attempt,
        reason=reason,
        message=_cut(message, _LONGEST_MESSAGE),
        epoch=snapshot.epoch,
        epochs=snapshot.epochs,
        best=BestEpoch(epoch=best.epoch, metric=best.metric, value=decimal(best.value)) if best else None,
        metrics=[MetricValue(name=name, value=decimal(value)) for name, value in snapshot.metrics.items()],
        dataset=snapshot.dataset,
        artifacts_uri=published.uri if published else None,
        checksums_sha256=published.checksums_sha256 if published else None,
        primary_artifact=primary,
        exports=list(snapshot.exports),
        artifacts=list(published.artifacts) if published else [],
        resumed_from_epoch=snapshot.resumed_from_epoch,
        checkpoint=snapshot.checkpoint,
    )


def write_termination_message(message: TerminationMessage, path: Path) -> None:
    """Write it where the kubelet looks. The exit code says the most: failing to add words must not change it."""
    try:
        path.write_bytes(fit(message))
    except (OSError, ValueError) as error:
        if path != TERMINATION_LOG or not isinstance(error, FileNotFoundError | PermissionError):
            _log.warning("the termination message was not written to %s: %s", path, error)


def fit(message: TerminationMessage) -> bytes:
    """The message as JSON of at most MAX_TERMINATION_MESSAGE bytes.

    Artifacts go first, from the end of the list: their URI and the digest of SHA256SUMS name them all. Then the
    exports, then the metrics, then the end of the sentence.
    """
    artifacts, exports, metrics = list(message.artifacts), list(message.exports), list(message.metrics)
    text = message.message
    while True:
        kept = message.model_copy(
            update={"artifacts": artifacts, "exports": exports, "metrics": metrics, "message": text}
        )
        encoded = json.dumps(kept.to_json_object(), separators=(",", ":"), ensure_ascii=False).encode()
        if len(encoded) <= MAX_TERMINATION_MESSAGE:
            return encoded
        if artifacts:
            artifacts.pop()
        elif exports:
            exports.pop()
        elif metrics:
            metrics.pop()
        elif not text:
            raise ValueError("a termination message without its lists and sentence is still too long")
        else:
            text = _cut(text, len(text) // 2)


def decimal(value: float) -> str:
    """A number as status shows it: five significant digits where they are needed, an exponent only where it is vast."""
    text = f"{value:.{_DIGITS}g}"
    return f"{value:.10f}".rstrip("0").rstrip(".") if "e" in text and abs(value) < _VAST else text


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return text[: longest - 3] + "..." if longest > 3 else ""
