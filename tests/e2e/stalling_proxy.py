"""Stands before a server and passes everything on, until a request looks like the one that is to stall: that one is
never passed on, and its connection hangs. What comes later passes."""
import re
import socket
import threading


class StallingProxy:
    def __init__(self, port):
        self.target = port
        self.pattern = None
        self.hanging = None
        self.stalled = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stall(self, pattern):
        """From now on, the first request whose head matches stalls."""
        self.stalled.clear()
        self.pattern = re.compile(pattern)

    def cut(self):
        """Ends the connection that hangs."""
        self.hanging.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self.pass_requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self.pass_answers, args=(server, client), daemon=True).start()

    def pass_requests(self, client, server):
        with client, server:
            try:
                while data := client.recv(65536):
                    if self.pattern is not None and self.pattern.search(data):
                        self.pattern = None
                        self.hanging = client
                        self.stalled.set()
                        while client.recv(65536):  # Until the client gives up.
                            pass
                        return
                    server.sendall(data)
            except OSError:
                pass

    @staticmethod
    def pass_answers(server, client):
        try:
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
