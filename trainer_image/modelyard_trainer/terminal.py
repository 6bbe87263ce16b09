"""A progress bar for a run on a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from modelyard_api.report import Stage
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from modelyard_trainer.progress import Snapshot

_SHOWN_METRICS = 2
_LOSSES = ("train/loss", "val/loss")


class TerminalProgress:
    """Draws what a `modelyard_trainer.progress.Progress` tells it, as a context manager; call it as a listener."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("[bold]{task.fields[stage]}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[eta]}"),
            TextColumn("[dim]{task.description}"),
            console=console,
            disable=not console.is_terminal,  # in a file or a pipe only the epochs' lines are wanted
        )
        self._row = self._bar.add_task("", total=100, stage="Starting", eta="")
        self._epoch, self._seconds = 0, 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, snapshot: Snapshot, urgent: bool) -> None:
        """Show a snapshot; an epoch's metrics stay on the screen as a line of their own."""
        eta = snapshot.eta_seconds
        self._bar.update(
            self._row,
            completed=snapshot.percent,
            stage=f"{snapshot.stage.value:<10}",
            description=snapshot.detail,
            eta="" if eta is None else f"{_length(eta)} left",
        )
        if snapshot.stage is Stage.TRAINING and urgent and snapshot.epoch > self._epoch:
            self._epoch = snapshot.epoch
            first = list(snapshot.metrics)[:_SHOWN_METRICS]
            shown = [name for name in _LOSSES if name in snapshot.metrics and name not in first] + first
            metrics = "  ".join(f"{name} {snapshot.metrics[name]:.3f}" for name in shown)
            took, self._seconds = snapshot.training_seconds - self._seconds, snapshot.training_seconds
            best = "  [green]best so far[/green]" if snapshot.best and snapshot.best.epoch == snapshot.epoch else ""
            self._bar.console.print(
                f"epoch {snapshot.epoch:>4}/{snapshot.epochs}  {metrics}  {took:.1f} s{best}", highlight=False
            )


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
