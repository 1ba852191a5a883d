"""Shopify's toxiproxy (setup/go_tool.sh toxiproxy) on free ports of loopback: proxies whose network fails as told."""
import json
import pathlib
import re
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = re.search(r"\[toxiproxy\]=\"\S+ (\S+)", (ROOT / "setup" / "go_tool.sh").read_text())[1]
PROGRAM = ROOT / ".deps" / f"toxiproxy-{VERSION}" / "toxiproxy"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Toxiproxy:
    def __init__(self):
        self.port, self.proxies = free_port(), 0
        self.process = subprocess.Popen([PROGRAM, "-host", "127.0.0.1", "-port", str(self.port)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            assert self.process.poll() is None, f"{PROGRAM} ends at once"
            time.sleep(0.01)

    def close(self):
        self.process.kill()
        self.process.wait()

    def call(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def proxy(self, port):
        """A proxy of its own to that port of loopback."""
        self.proxies += 1
        made = self.call("POST", "/proxies", {"name": f"way-{self.proxies}", "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{port}"})
        return Way(self, made["name"], int(made["listen"].rsplit(":", 1)[1]))


class Way:
    def __init__(self, toxiproxy, name, port):
        self.toxiproxy, self.path, self.port, self.toxics = toxiproxy, f"/proxies/{name}/toxics", port, []

    def poison(self, kind, **attributes):
        """A toxic in both directions, for connections that are there and for new ones."""
        for stream in ("upstream", "downstream"):
            toxic = self.toxiproxy.call("POST", self.path, {"type": kind, "stream": stream, "attributes": attributes})
            self.toxics.append(toxic["name"])

    def heal(self):
        while self.toxics:
            self.toxiproxy.call("DELETE", f"{self.path}/{self.toxics.pop()}")
