"""How a training that came to its end is told: after all its epochs, or after fewer."""

from __future__ import annotations

from modelyard_api.outcome import Reason

from modelyard_trainer.progress import Snapshot


def completion(now: Snapshot, patience: int) -> tuple[Reason, str]:
    """Why it is complete, and how many epochs it had with the best of them; nothing of epochs where none were wanted.

    Args:
        now: what is known of the run at its end.
        patience: `training.patience`, which alone ends a training before its last epoch.
    """
    if not now.epochs:
        return Reason.COMPLETED, ""
    best = f", best {now.best.metric} {now.best.value:.3f} in epoch {now.best.epoch}" if now.best else ""
    epochs = f"{now.epoch} of {now.epochs} epochs{best}"
    if now.epoch == now.epochs:
        return Reason.COMPLETED, epochs
    return Reason.COMPLETED_EARLY, f"{epochs}: {patience} more brought nothing better (training.patience)"
