"""A server on loopback. It uses nothing of AWS, so it can run in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def listening(
    handler: type[BaseHTTPRequestHandler], *, waits_for_clients: bool = True
) -> Iterator[str]:
    """Context manager that listens on a free port of 127.0.0.1, and yields the URL.

    Parameters:
        waits_for_clients: whether to finish open requests before the end. Pass False if clients
            may be killed: their requests would never finish.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.block_on_close = not waits_for_clients, waits_for_clients
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
