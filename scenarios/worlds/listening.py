"""A server on loopback. It knows nothing of AWS, so it may be a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def listening(
    handler: type[BaseHTTPRequestHandler], *, waits_for_clients: bool = True
) -> Iterator[str]:
    """Listen on a free port of 127.0.0.1 while this lasts; gives the URL.

    Parameters:
        waits_for_clients: whether requests that are under way are answered before it ends; not
            those of a client that was killed.
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
