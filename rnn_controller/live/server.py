"""A web server for the live page: this machine only, the page's own files only, reading only."""

import errno
import os
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any

ADDRESS = "127.0.0.1"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
)
"""What a browser may load for the page: files of this server."""


class Server(ThreadingHTTPServer):
    """Serves files that it holds in memory, by their exact paths.

    Raises OSError if the port is in use.
    """

    daemon_threads = True
    # a port just left is free again; on Windows two servers could then share one
    allow_reuse_address = os.name != "nt"

    def __init__(self, files: Mapping[str, bytes], port: int = 0):
        """Listen at a port; 0 takes any free one. Raises OSError if it is in use."""
        self.files = {f"/{name}": content for name, content in files.items()}
        self.files["/"] = files["index.html"]
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise OSError(
                f"port {port} is in use: choose another with --port, or 0 for any free one"
            ) from None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an error, unless a browser went away before it had its answer."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{ADDRESS}:{self.server_address[1]}/"


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for one connection."""

    server: Server
    server_version = "rnn_controller"
    sys_version = ""
    timeout = 30  # [s] for a request to arrive

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Send the head of a file."""
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        content = self.server.files.get(path)
        if content is None:
            self.send_error(404, "there is no such file")
            return
        self.send_response(200)
        self.send_header("Content-Type", TYPES[PurePosixPath(path).suffix or ".html"])
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
