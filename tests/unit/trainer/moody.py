"""A store that is there and does not answer as it should: a front before a real one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_NOT_PASSED_ON = frozenset({"connection", "expect", "transfer-encoding"})


class Front:
    """Passes requests on, unless it is in a mood.

    Args:
        upstream: address of the store behind it.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream).netloc
        self.mood: Callable[[BaseHTTPRequestHandler], None] | None = None
        """Answers in the store's place."""
        self.spoilt: list[str] = []
        """Methods of the requests that were answered so."""
        self._over = threading.Event()
        self.endpoint = ""

    def answers(self, status: HTTPStatus, code: str) -> None:
        """Answer every request like this from now on."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            body = f"<Error><Code>{code}</Code><Message>Later, please.</Message></Error>".encode()
            request.send_response(status)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(b"" if request.command == "HEAD" else body)

        self.mood = answer

    def stalls(self) -> None:
        """Answer nothing from now on."""

        def stall(request: BaseHTTPRequestHandler) -> None:
            self._over.wait()
            request.close_connection = True

        self.mood = stall

    def recovers(self) -> None:
        """Be a good store again."""
        self.mood = None

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Listen on the loopback until the block ends."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            self._over.set()
            server.shutdown()
            server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                mood = front.mood
                if mood is None:
                    self._pass_on(content)
                    return
                front.spoilt.append(self.command)
                mood(self)

            do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815 - http.server's names

            def _pass_on(self, content: bytes) -> None:
                # The signature is of the address that was asked, which stands in the headers.
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
                upstream = HTTPConnection(front._upstream, timeout=60)
                upstream.request(self.command, self.path, content, headers)
                answer = upstream.getresponse()
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {*_NOT_PASSED_ON, "content-length"}:
                        self.send_header(name, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(body))
                self.send_header("Content-Length", length or "0")
                self.end_headers()
                self.wfile.write(body)
                upstream.close()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        return Handler
