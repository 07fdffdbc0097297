"""The server of key and revocation lists, as the authorization server would be."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .filters import key_list

JWKS_PATH = "/jwks.json"
NO_REVOCATIONS = b'{"version": 1, "tokens": [], "clients": []}'


class Lists(ThreadingHTTPServer):
    """Serves `/keys-N.json` with N keys, an empty revocation list and, if it is given one, a key set; counts fetches."""

    daemon_threads = True

    def __init__(self, counts: list[int], jwks: dict[str, Any] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lists = {f"/keys-{count}.json": key_list(count) for count in counts}
        self.lists["/revocations.json"] = NO_REVOCATIONS
        if jwks:
            self.lists[JWKS_PATH] = json.dumps(jwks).encode()
        self.fetches: Counter[str] = Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.server_port


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """One list."""
        assert isinstance(self.server, Lists)
        self.server.fetches[self.path] += 1
        body = self.server.lists.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
