"""`kubectl get --watch`, made readable: a row for every phase and epoch; on a terminal the last one is renewed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

_FOR_THE_LAST_ROW = 5.0
_ROW_OF_ITS_OWN = ("NAME", "PHASE", "EPOCH", "TRY")


@contextmanager
def live_table(command: Sequence[str], last: Collection[str] = ()) -> Iterator[None]:
    """Show what `command`, a `kubectl get --watch`, prints while the block runs.

    Args:
        command: with its arguments.
        last: words one of which stands in the last row. Who waits for the same end may hear of it before the watch
            does: the row is waited for, a few seconds at most.
    """
    ended = threading.Event()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        reader = threading.Thread(target=_show, args=(watch.stdout or [], last, ended), daemon=True)
        reader.start()
        try:
            yield
            if last:
                ended.wait(_FOR_THE_LAST_ROW)
        finally:
            watch.terminate()
            reader.join(timeout=10)


def chunks(lines: Iterable[str], *, terminal: bool) -> Iterator[str]:
    """What to write for each of kubectl's lines, the header first.

    Args:
        lines: as kubectl prints them, with their ends.
        terminal: whether a row can be written over. Else each is ended at once, for whoever reads by lines, and rows
            that tell nothing new are left out.
    """
    starts: list[int] = []
    shown: tuple[str, ...] = ()
    before, after = ("\n", "") if terminal else ("", "\n")
    for line in (each.rstrip() for each in lines):
        if not starts:
            starts = [line.find(column) for column in _ROW_OF_ITS_OWN]
            yield f"{line}{after}"
            continue
        cells = tuple(line[start:].partition(" ")[0] for start in starts if start >= 0)
        if cells != shown:
            yield f"{before}{line}{after}"
        elif terminal:
            yield f"\r{line}\x1b[K"
        shown = cells
    if terminal:
        yield "\n"


def _show(lines: Iterable[str], last: Collection[str], ended: threading.Event) -> None:
    for chunk in chunks(lines, terminal=sys.stdout.isatty()):
        sys.stdout.write(chunk)
        sys.stdout.flush()
        if not set(chunk.split()).isdisjoint(last):
            ended.set()
