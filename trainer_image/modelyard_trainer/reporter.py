"""Pushes progress to the operator. Whatever happens to a report, the training goes on."""

from __future__ import annotations

import http.client
import json
import logging
import ssl
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from modelyard_api.report import MAX_REPORT_BYTES, REPORT_PATH, ProgressReport
from modelyard_api.run_document import Intake

from modelyard_trainer.progress import Progress, Snapshot

_log = logging.getLogger("modelyard.reporter")
_TIMEOUT_SECONDS = 5.0
_SHORTEST_PAUSE_SECONDS = 0.2
"""Between two reports, however urgent: epochs of a tiny data set can end many times a second."""
_FINAL_PATIENCE_SECONDS = 30.0
_FINAL_PAUSE_SECONDS = 1.0
_RETRIED = frozenset({429, 500, 502, 503, 504})


class ReportRefusedError(Exception):
    """The intake will not take this report, now or later."""


class Reporter:
    """A thread that sends snapshots: one an interval at most, but at once what is urgent, and the last for certain."""

    def __init__(self, intake: Intake, progress: Progress) -> None:
        self._intake, self._progress = intake, progress
        self._sequence = 0
        self._changed, self._urgent, self._closing = threading.Event(), threading.Event(), threading.Event()
        self._warned = False
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to send, with what is known now."""
        self._progress.listen(self._listen)
        self._urgent.set()
        self._thread.start()

    def close(self, patience: float = _FINAL_PATIENCE_SECONDS) -> None:
        """Send the last snapshot, again and again for at most `patience` seconds, and end."""
        self._closing.set()
        self._urgent.set()
        self._thread.join(_TIMEOUT_SECONDS * 2)
        until = time.monotonic() + patience
        while True:
            try:
                self._send()
            except ReportRefusedError as error:
                _log.warning("the last report was refused: %s", error)
                return
            except Exception as error:  # nor may it change how the run ended
                if time.monotonic() + _FINAL_PAUSE_SECONDS > until:
                    _log.warning("the last report could not be delivered: %s", error)
                    return
                time.sleep(_FINAL_PAUSE_SECONDS)
            else:
                return

    def _listen(self, _snapshot: Snapshot, urgent: bool) -> None:
        self._changed.set()
        if urgent:
            self._urgent.set()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._urgent.wait(self._intake.interval_seconds)
            if self._closing.is_set():
                return
            if not (self._changed.is_set() or self._urgent.is_set()):
                continue
            self._changed.clear()
            self._urgent.clear()
            try:
                self._send()
            except Exception as error:  # whatever it is: without this thread the run would look hung
                # Said once, not every few seconds for days.
                _log.log(logging.DEBUG if self._warned else logging.WARNING, "report not delivered: %s", error)
                self._warned = True
            else:
                self._warned = False
            self._closing.wait(_SHORTEST_PAUSE_SECONDS)

    def _send(self) -> None:
        self._sequence += 1
        content = encode(self._progress.now.report(self._sequence))
        # The token is renewed by the kubelet, and the certificates by the operator: read both anew.
        token = Path(self._intake.token_file).read_text(encoding="utf-8").strip()
        request = urllib.request.Request(  # noqa: S310 - the operator's own address
            self._intake.url.removesuffix(REPORT_PATH).rstrip("/") + REPORT_PATH,
            data=content,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method="POST",
        )
        try:
            self._opener().open(request, timeout=_TIMEOUT_SECONDS).close()
        except urllib.error.HTTPError as error:
            said = error.read(200).decode(errors="replace").strip()
            if error.code in _RETRIED:
                raise
            raise ReportRefusedError(f"{error.code} {said}") from error
        except http.client.HTTPException as error:
            raise ConnectionError(f"{type(error).__name__}: {error}") from error

    def _opener(self) -> urllib.request.OpenerDirector:
        """A way to the intake that uses no proxy, whatever the environment says: it is in the same cluster."""
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self._intake.url.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=self._trust()))
        return urllib.request.build_opener(*handlers)

    def _trust(self) -> ssl.SSLContext:
        certificates = "\n".join(
            path.read_text(encoding="ascii")
            for path in sorted(Path(self._intake.ca_folder).glob("*"))
            if path.is_file() and not path.name.startswith(".")
        )
        if not certificates.strip():
            raise FileNotFoundError(f"no certificate in {self._intake.ca_folder}")
        return ssl.create_default_context(cadata=certificates)


def encode(report: ProgressReport) -> bytes:
    """The report as JSON of at most MAX_REPORT_BYTES; artifacts are left out where they would make it longer."""
    for kept in (report, report.model_copy(update={"artifacts": []})):
        content = json.dumps(kept.to_json_object(), separators=(",", ":")).encode()
        if len(content) <= MAX_REPORT_BYTES:
            return content
    raise ValueError("a report without artifacts is longer than the intake takes")
