"""A TCP proxy before a server on loopback: a network that can be slow, or partitioned (cut or swallowed)."""
import select
import socket
import threading
import time


class Proxy:
    def __init__(self, port, bytes_per_second=None):
        """The rate is that of all connections together, from the server."""
        self.target, self.pairs, self.lock = port, [], threading.Lock()
        self.rate, self.free_at = bytes_per_second, 0
        self.silent = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        with self.lock:
            self.pairs.append((client, server))
        other = {client: server, server: client}
        try:
            while True:
                if self.silent:
                    time.sleep(0.02)
                    continue
                for ready in select.select(list(other), [], [], 0.2)[0]:
                    data = ready.recv(1 << 16)
                    if not data:
                        return
                    if ready is server and self.rate:
                        self._wait_for(len(data))
                    other[ready].sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            client.close()
            server.close()

    def _wait_for(self, size):
        with self.lock:
            now = time.monotonic()
            self.free_at = max(now, self.free_at) + size / self.rate
            wait = self.free_at - now
        time.sleep(wait)

    def blackhole(self, silent):
        """While silent, nothing passes and nobody is told."""
        self.silent = silent

    def cut(self, which=slice(None)):
        """Ends connections, in mid-message perhaps: all, or those at these places in the order of their making."""
        with self.lock:
            pairs = self.pairs[which]
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # Closed already.

    def close(self):
        self.listener.close()
        self.cut()
