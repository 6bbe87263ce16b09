"""A pod's folders on this computer, and the trainer in it as the kubelet starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modelyard_api.outcome import MAX_TERMINATION_MESSAGE, TerminationMessage
from modelyard_api.run_document import RunDocument

REPOSITORY = Path(__file__).resolve().parents[3]
TRAINER = ("-m", "modelyard_trainer")


@dataclass
class Pod:
    """The folders of a pod, and the trainer in it."""

    root: Path
    uid: str = "pod-uid-1"
    environment: dict[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ("tests/plugin_task", "trainer_image", "crds")
    """What Python finds modules in; with tests/plugin_task, `detection` is the torch-free test task."""

    @property
    def mount(self) -> Path:
        return self.root / "mount"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    def start(self, document: RunDocument | str, program: Sequence[str] = TRAINER) -> subprocess.Popen[str]:
        """Begin an attempt."""
        text = document if isinstance(document, str) else json.dumps(document.to_json_object())
        run = self.mount / "run" / "run.json"
        run.parent.mkdir(parents=True, exist_ok=True)
        run.write_text(text)
        self.scratch.mkdir(exist_ok=True)
        (self.root / "termination-log").touch()
        command: Sequence[str | Path] = [
            sys.executable,
            *program,
            *("--mount", self.mount),
            *("--scratch", self.scratch),
            *("--termination-log", self.root / "termination-log"),
        ]
        return subprocess.Popen(command, env=self.variables(), stderr=subprocess.PIPE, text=True)

    def variables(self) -> dict[str, str]:
        """The container's environment."""
        paths = os.pathsep.join(str(REPOSITORY / folder) for folder in self.folders)
        return {**os.environ, **self.environment, "MODELYARD_POD_UID": self.uid, "PYTHONPATH": paths}

    def run(self, document: RunDocument | str, program: Sequence[str] = TRAINER) -> tuple[int, TerminationMessage]:
        """An attempt from beginning to end."""
        process = self.start(document, program)
        _, said = process.communicate(timeout=60)
        assert process.returncode is not None, said
        return process.returncode, self.message()

    def stop(self, process: subprocess.Popen[str], after: str, *numbers: signal.Signals) -> tuple[int, str]:
        """Send signals, each once the log says `after` (and then "got"); the exit code and the log."""
        assert process.stderr is not None
        said = []
        for number in numbers:
            for line in process.stderr:
                said.append(line)
                if after in line:
                    break
            process.send_signal(number)
            after = "got "
        try:
            _, rest = process.communicate(timeout=30)
        finally:
            process.kill()
        return process.returncode, "".join(said) + rest

    def message(self) -> TerminationMessage:
        """What the kubelet finds."""
        content = (self.root / "termination-log").read_bytes()
        assert 0 < len(content) <= MAX_TERMINATION_MESSAGE
        return TerminationMessage.model_validate_json(content)
