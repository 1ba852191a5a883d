"""Open data through the binary: the demo's whole way, from a fresh database to files that follow its changes."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from postgres import PostgresServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPILLWAY = os.environ["SPILLWAY"]


class OpenDataTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_spillway(self, *words, code=0, **variables):
        done = subprocess.run([SPILLWAY, *words], cwd=self.folder.name, capture_output=True, text=True,
                              env={**os.environ, **variables})
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_the_demo(self):
        subprocess.run([sys.executable, "-B", ROOT / "demo" / "open-data" / "run.py", SPILLWAY, self.folder.name + "/demo"],
                       check=True, stdout=subprocess.DEVNULL)

    def test_the_variables_that_it_always_had(self):
        with PostgresServer() as server:
            database = server.new_database()
            for file in ("schema.sql", "readings.sql"):
                server.sql((ROOT / "demo" / "open-data" / file).read_text(), database)
            variables = {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": str(server.port), "DATABASE_DB": database,
                         "DATABASE_READ_USER": "postgres", "DATABASE_READ_PASSWORD": "read secret",
                         "DATABASE_WRITE_USER": "postgres", "DATABASE_WRITE_PASSWORD": "write secret",
                         "WRITE_FILE_LOCATION": "local", "LOCAL_SAVE_DIRECTORY": self.folder.name + "/elsewhere",
                         "WRITE_FILE_FORMAT": "csv", "LIMIT": "7", "LOG_LEVEL": "info"}
            missing = self.run_spillway("run", "open-data", code=3, **variables)
            self.assertIn("has no export log; run `spillway open-data migrate`", missing.stderr)
            self.run_spillway("open-data", "migrate", "--track", "measurements", **variables)
            self.run_spillway("open-data", "recount", **variables)
            done = self.run_spillway("run", "open-data", **variables)
            self.assertIn("7 location-days", done.stdout)
            files = list(pathlib.Path(self.folder.name, "elsewhere", "records", "csv").rglob("*.csv"))
            self.assertEqual(len(files), 7)
            for text in (done.stdout, done.stderr, missing.stderr, self.run_spillway("config", "show", **variables).stdout,
                         *(path.read_text() for path in pathlib.Path(self.folder.name).rglob("manifest.json"))):
                self.assertNotIn("secret\"", text.replace('"(secret)"', ""))
                self.assertNotIn("read secret", text)
                self.assertNotIn("write secret", text)

    def test_manifests_expire_and_files_stay(self):
        with PostgresServer() as server:
            database = server.new_database()
            for file in ("schema.sql", "readings.sql"):
                server.sql((ROOT / "demo" / "open-data" / file).read_text(), database)
            login = "{user: postgres}"
            pathlib.Path(self.folder.name, "spillway.yaml").write_text(
                f"open_data: {{database: {{host: 127.0.0.1, port: {server.port}, name: {database}, read: {login}, write: {login}}}, "
                "manifest_retention: 1s, limit: 5}\n")
            self.run_spillway("open-data", "migrate", "--track", "measurements")
            self.run_spillway("open-data", "recount")
            self.run_spillway("run", "open-data")
            data = pathlib.Path(self.folder.name, "data")
            before = sorted((data / "records").rglob("location-*"))
            self.assertEqual((len(before), len(list(data.rglob("manifest.json")))), (5, 1))
            time.sleep(1.1)
            self.run_spillway("jobs", "expire")
            self.assertEqual(sorted((data / "records").rglob("location-*")), before)
            self.assertEqual(list(data.rglob("manifest.json")), [])

    def test_bad_settings(self):
        for setting, complaint in (("{database: {host: h}, format: csv.bz2}", "open_data.format has"),
                                   ("{database: {host: h}, location: s3}", "open_data.bucket is missing"),
                                   ("{database: {host: h}, limit: -1}", "open_data.limit")):
            pathlib.Path(self.folder.name, "spillway.yaml").write_text(f"open_data: {setting}\n")
            self.assertIn(complaint, self.run_spillway("config", "check", code=2).stderr)
        pathlib.Path(self.folder.name, "spillway.yaml").write_text("")
        self.assertIn("open_data.database.host is not set",
                      self.run_spillway("open-data", "status", code=2).stderr)

    def test_a_database_that_is_away(self):
        pathlib.Path(self.folder.name, "spillway.yaml").write_text(
            "open_data: {database: {host: 127.0.0.1, port: 1}, retry_for: 100ms}\nengine: {backoff: {base: 10ms}}\n")
        away = self.run_spillway("run", "open-data", code=8)
        self.assertIn('at "127.0.0.1", port 1 failed: Connection refused', away.stderr)


if __name__ == "__main__":
    unittest.main()
