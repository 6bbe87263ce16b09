"""kubectl as a person uses it, for stories: nothing here knows of Modelyard."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Kubectl:
    """The kubectl of one cluster and, by default, one namespace."""

    program: Path
    kubeconfig: Path
    namespace: str = "default"

    def __call__(self, *words: str, stdin: str | None = None, timeout: float = 120) -> str:
        """Run kubectl and return what it printed; a failure raises with what it said."""
        done = self._run(*words, stdin=stdin, timeout=timeout)
        if done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def refusal(self, *words: str, stdin: str | None = None) -> str:
        """What kubectl says when it refuses; succeeding is a failure."""
        done = self._run(*words, stdin=stdin, timeout=60)
        assert done.returncode != 0, f"kubectl {' '.join(words)} was accepted: {done.stdout}"
        return done.stderr

    def succeeds(self, *words: str) -> bool:
        """Whether kubectl does not fail."""
        return self._run(*words, stdin=None, timeout=60).returncode == 0

    def may(self, *words: str) -> bool:
        """What `kubectl auth can-i` answers."""
        return self._run("auth", "can-i", *words, stdin=None, timeout=60).stdout.strip() == "yes"

    def within(self, namespace: str) -> Kubectl:
        """The same kubectl for another namespace."""
        return replace(self, namespace=namespace)

    def apply(self, *manifests: Object) -> str:
        """`kubectl apply` of objects."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        return self("apply", "-f", "-", stdin=text)

    def dry_run(self, manifest: Object) -> Object:
        """The object as the API server would keep it."""
        kept: Object = json.loads(
            self("create", "--dry-run=server", "--output=json", "-f", "-", stdin=json.dumps(manifest))
        )
        return kept

    def get(self, kind: str, name: str) -> Object:
        """One object."""
        found: Object = json.loads(self("get", kind, name, "-o", "json"))
        return found

    def all(self, kind: str, selector: str = "") -> list[Object]:
        """Objects of a kind, all or those that a label selector picks."""
        words = ["-l", selector] if selector else []
        items: list[Object] = json.loads(self("get", kind, *words, "-o", "json"))["items"]
        return items

    def patch(self, kind: str, name: str, change: Object) -> str:
        """`kubectl patch --type=merge`."""
        return self("patch", kind, name, "--type=merge", "--patch", json.dumps(change))

    def wait(self, what: str, condition: str, seconds: int) -> None:
        """`kubectl wait --for=CONDITION`."""
        self("wait", what, f"--for={condition}", f"--timeout={seconds}s", timeout=seconds + 30)

    @contextmanager
    def watching(self, kind: str) -> Iterator[Watched]:
        """Record every version of every object of a kind that a watch shows while the block runs.

        A watch ends with the API server that serves it; then another one goes on from what there is.
        """
        words = [*self._words(), "get", kind, "--watch", "-o", "json", "--output-watch-events"]
        watched = Watched(words)
        reader = threading.Thread(target=watched.keep, daemon=True)
        reader.start()
        try:
            yield watched
        finally:
            watched.end()
            reader.join(timeout=10)

    def _words(self) -> list[str]:
        return [str(self.program), "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace]

    def _run(self, *words: str, stdin: str | None, timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._words(), *words], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )


@dataclass
class Watched:
    """The versions of objects, in the order in which a watch showed them."""

    command: list[str]
    versions: list[Object] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _process: subprocess.Popen[str] | None = None

    def keep(self) -> None:
        """Take in watch events, of which kubectl prints one a line, until the end."""
        while not self._over.wait(0.2):
            with subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True) as self._process:
                if self._over.is_set():
                    self._process.terminate()
                for line in self._process.stdout or ():
                    self.versions.append(json.loads(line)["object"])

    def end(self) -> None:
        """Watch no more."""
        self._over.set()
        if self._process is not None:
            self._process.terminate()

    def statuses(self, name: str) -> list[Object]:
        """The `status` of every version of the object of that name which has one."""
        return [each["status"] for each in list(self.versions) if each["metadata"]["name"] == name and "status" in each]
