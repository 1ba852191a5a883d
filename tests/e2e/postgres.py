"""A PostgreSQL server for the end-to-end tests: Debian's newest, on a free port of loopback, over a scratch directory."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class PostgresServer:
    def __init__(self, *settings):
        self.programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="spillway-postgres-"))
        self.data, self.port, self.databases, self.child = self.folder / "data", free_port(), 0, None
        self.user = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
            self.user = dict(user="postgres", group="postgres", extra_groups=[])
        subprocess.run([self.programs / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                        "--no-sync", "--no-instructions"], check=True, stdout=subprocess.DEVNULL, cwd="/", **self.user)
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(f"\nlisten_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = '{self.folder}'\n"
                       "fsync = off\nfull_page_writes = off\nshared_buffers = 64MB\n")
            file.write("".join(line + "\n" for line in settings))
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.child = subprocess.Popen([self.programs / "postgres", "-D", self.data], stdout=log, stderr=log, cwd="/", **self.user)
        for _ in range(600):
            if subprocess.run([self.programs / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)]).returncode == 0:
                return
            assert self.child.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise TimeoutError("PostgreSQL does not start")

    def stop(self):
        """Ends all sessions in mid-statement, as `pg_ctl stop -m immediate`."""
        if self.child:
            self.child.send_signal(signal.SIGQUIT)
            self.child.wait()
            self.child = None

    def restart(self):
        self.stop()
        self.start()

    def replica(self):
        """A hot standby that follows this server; stopped by its owner before this one is."""
        replica = PostgresServer.__new__(PostgresServer)
        replica.__dict__.update(self.__dict__, data=self.folder / "replica", port=free_port(), child=None)
        subprocess.run([self.programs / "pg_basebackup", "-h", self.folder, "-p", str(self.port), "-U", "postgres",
                        "-D", replica.data, "-R", "-X", "stream", "-c", "fast"], check=True, cwd="/", **self.user)
        with open(replica.data / "postgresql.conf", "a") as file:
            file.write(f"port = {replica.port}\n")
        replica.start()
        return replica

    def url(self, database="postgres", user="postgres"):
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement, database="postgres"):
        """The rows of a statement, each a list of texts."""
        done = subprocess.run([self.programs / "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", self.folder,
                               "-p", str(self.port), "-U", "postgres", "-d", database, "-c", statement],
                              check=True, capture_output=True, text=True, cwd="/")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def new_database(self):
        self.databases += 1
        name = f"test_{self.databases}"
        self.sql(f"CREATE DATABASE {name} STRATEGY wal_log")
        return name


class PgBouncer:
    """In transaction mode before a server."""

    def __init__(self, server):
        self.folder, self.port = pathlib.Path(tempfile.mkdtemp(prefix="spillway-pgbouncer-")), free_port()
        (self.folder / "users").write_text('"postgres" ""\n')
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = trust\nauth_file = {self.folder}/users\npool_mode = transaction\ndefault_pool_size = 5\n")
        if server.user:
            shutil.chown(self.folder, "postgres", "postgres")
        with open(self.folder / "log", "a") as log:
            self.child = subprocess.Popen(["/usr/sbin/pgbouncer", "-q", self.folder / "pgbouncer.ini"], stdout=log, stderr=log,
                                          cwd="/", **server.user)
        for _ in range(600):
            if subprocess.run([server.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0:
                return
            assert self.child.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)
        raise TimeoutError("PgBouncer does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
