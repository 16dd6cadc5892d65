"""An origin that speaks TLS, by Python's ssl."""

import socket
import ssl
import threading

from harness import DEADLINE, Origin


def context(file, lowest=ssl.TLSVersion.TLSv1_2, highest=ssl.TLSVersion.TLSv1_3, ciphers=None, client_ca=None):
    """Returns the context of a server that presents the chain in `file`, with its key."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if ciphers:
        made.set_ciphers(ciphers)
    made.minimum_version, made.maximum_version = lowest, highest
    made.load_cert_chain(file)
    made.set_alpn_protocols(["http/1.1"])
    if client_ca:
        made.load_verify_locations(client_ca)
        made.verify_mode = ssl.CERT_REQUIRED
    return made


class TlsOrigin(Origin):
    """An origin that speaks TLS. `sessions` has a line for each handshake that was complete: whether the
    session was resumed, the name that was asked for, the subject of the client's certificate."""

    def __init__(self, context, handler=None, address="127.0.0.1"):
        self.context, self.sessions = context, []
        self.context.sni_callback = self.asked
        if ":" in address:
            self.address_family = socket.AF_INET6
        super().__init__(handler, address)

    @staticmethod
    def asked(connection, name, _context):
        connection.name = name

    @property
    def port(self):
        return self.server_address[1]

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def finish_request(self, request, client_address):
        request.settimeout(DEADLINE)
        with self.context.wrap_socket(request, server_side=True) as connection:
            subject = (connection.getpeercert() or {}).get("subject")
            name = getattr(connection, "name", None)
            self.sessions.append((connection.session_reused, name, subject and subject[0][0][1]))
            super().finish_request(connection, client_address)


class RawOrigin:
    """A server that answers each connection by `serve(connection)`, a plain socket."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.serve, self.count = serve, 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        connection.settimeout(DEADLINE)
        with connection:
            try:
                self.serve(connection)
            except OSError:
                pass  # the peer may disconnect at any time

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(DEADLINE)
