"""Running other programs: never through a shell, and never silently when they fail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class CommandFailed(RuntimeError):
    """A program ended with a status other than 0; the message holds the command and the end of its output."""


def run(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | bytes | None = None,
    log: Path | None = None,
) -> str:
    """Run a program to its end and return what it printed (standard output, with errors when it fails).

    With `log`, both streams are appended to that file instead, so that a long build can be looked at.

    Raises:
        CommandFailed: it ended with a status other than 0, or is not installed.
    """
    words = [str(word) for word in command]
    environment = {**os.environ, **(env or {})}
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        if log is None:
            done = subprocess.run(words, env=environment, cwd=cwd, input=data, capture_output=True, check=False)
            output, errors = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        else:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as stream:
                done = subprocess.run(
                    words, env=environment, cwd=cwd, input=data, stdout=stream, stderr=stream, check=False
                )
            output, errors = "", _tail(log)
    except FileNotFoundError as missing:
        raise CommandFailed(f"`{words[0]}` is not installed or not on PATH.") from missing
    if done.returncode != 0:
        raise CommandFailed(f"`{' '.join(words)}` ended with status {done.returncode}:\n{(errors or output)[-4000:]}")
    return output


def succeeds(*command: str | Path, env: Mapping[str, str] | None = None) -> bool:
    """Whether a program ends with status 0; what it prints is dropped."""
    try:
        run(*command, env=env)
    except CommandFailed:
        return False
    return True


def pipe(source: Sequence[str | Path], sink: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
    """Stream one program's output into another's input, as `source | sink`; either failing is a failure."""
    environment = {**os.environ, **(env or {})}
    with subprocess.Popen([str(w) for w in source], stdout=subprocess.PIPE, env=environment) as writer:
        reader = subprocess.run(
            [str(w) for w in sink], stdin=writer.stdout, capture_output=True, env=environment, check=False
        )
        if writer.stdout is not None:
            writer.stdout.close()
    for words, status in ((source, writer.returncode), (sink, reader.returncode)):
        if status != 0:
            errors = reader.stderr.decode(errors="replace")[-2000:]
            raise CommandFailed(f"`{' '.join(map(str, words))}` ended with status {status}: {errors}")


def _tail(log: Path, size: int = 4000) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - size))
        return stream.read().decode(errors="replace")
