"""Django's threaded development server over TLS, on sockets that listen already."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

if TYPE_CHECKING:
    import socket
    import ssl
    from wsgiref.types import WSGIApplication

logger = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 30


class QuietHandler(WSGIRequestHandler):
    """Logs paths without queries: codes and states travel in those."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        path = urlsplit(getattr(self, "path", "")).path
        logger.info("%s %s %s", getattr(self, "command", "-"), path, args[1] if len(args) > 1 else "")


class TlsServer(ThreadedWSGIServer):
    """The handshake happens in the request's own thread, so that a silent client stops nobody else."""

    def __init__(self, listener: socket.socket, *, context: ssl.SSLContext, application: WSGIApplication) -> None:
        super().__init__(("localhost", 0), QuietHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.context = context
        self.server_address = listener.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()
        self.base_environ["HTTPS"] = "on"
        self.set_app(application)

    def get_request(self) -> tuple[ssl.SSLSocket, Any]:
        connection, address = self.socket.accept()
        connection.settimeout(HANDSHAKE_SECONDS)
        wrapped = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return wrapped, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.info("connection ended: %s", type(sys.exc_info()[1]).__name__)
