"""An intake over HTTPS that writes down what it is sent."""

from __future__ import annotations

import ipaddress
import ssl
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from modelyard_api.report import REPORT_PATH, ProgressReport
from modelyard_api.run_document import Intake


@dataclass
class RecordingIntake:
    """A server with a certificate of its own; `refuse_first` answers are 503."""

    folder: Path
    refuse_first: int = 0
    received: list[tuple[str, ProgressReport]] = field(default_factory=list)

    @property
    def reports(self) -> list[ProgressReport]:
        return [report for _, report in self.received]

    def described(self) -> Intake:
        """What the operator would write into the run document."""
        port = self._server.server_address[1]
        return Intake(
            url=f"https://127.0.0.1:{port}",
            token_file=str(self.folder / "token"),
            ca_folder=str(self.folder / "ca"),
            interval_seconds=0.5,
        )

    def __enter__(self) -> Self:
        (self.folder / "ca").mkdir(parents=True)
        (self.folder / "token").write_text("the-token\n")
        key = self._certificate()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "ca" / "replica-1.crt", key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        intake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if intake.refuse_first:
                    intake.refuse_first -= 1
                    self.send_response(503)
                elif self.path != REPORT_PATH:
                    self.send_response(404)
                else:
                    report = ProgressReport.model_validate_json(content)
                    intake.received.append((self.headers["Authorization"], report))
                    self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        return Handler

    def _certificate(self) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "intake")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (self.folder / "ca" / "replica-1.crt").write_bytes(certificate.public_bytes(pem))
        path = self.folder / "key.pem"
        path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return path
