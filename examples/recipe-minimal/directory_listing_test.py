"""The example recipe in a program: configured, planned, run, scheduled, verified and documented like the others."""
import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
FILES = 2500

CONFIGURATION = """
exports:
  photos: {recipe: directory_listing, directory: photos}
schedules:
  nightly: {export: photos, cron: '@daily', format: ndjson}
"""


class DirectoryListingTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="spillway-listing-")
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        (self.path / "photos").mkdir()
        for n in range(FILES):
            (self.path / "photos" / f"{n:05}.jpg").write_bytes(b"x" * (n % 7))
        self.write(CONFIGURATION)

    def write(self, configuration):
        (self.path / "spillway.yaml").write_text(configuration, encoding="utf-8")

    def call(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], cwd=self.path, capture_output=True, text=True, check=False,
                              timeout=120)

    def good(self, *arguments):
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def test_it_exports_what_is_there_and_proves_it(self):
        self.assertEqual(json.loads(self.good("--json", "plan", "photos")), {"rows": FILES, "chunks": 25})
        job = json.loads(self.good("--json", "run", "photos"))
        self.assertEqual(job["chunks"]["total"], 25)
        self.assertEqual(job["counts"]["written"], FILES)
        with open(pathlib.Path(job["directory"]) / "photos.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        self.assertEqual(rows[0], ["name", "bytes"])
        self.assertEqual(rows[1:], [[f"{n:05}.jpg", str(n % 7)] for n in range(FILES)])
        self.assertIn("whole and unchanged", self.good("verify", job["directory"]))

    def test_an_empty_directory_is_a_file_with_a_heading(self):
        (self.path / "none").mkdir()
        self.write(CONFIGURATION.replace("directory: photos", "directory: none"))
        job = json.loads(self.good("--json", "run", "photos"))
        self.assertEqual((pathlib.Path(job["directory"]) / "photos.csv").read_text(encoding="utf-8"), "name,bytes\n")

    def test_flags_checks_and_schema_come_from_its_declarations(self):
        job = json.loads(self.good("--json", "run", "photos", "--format", "ndjson"))
        first = next(pathlib.Path(job["directory"]).glob("*.ndjson")).read_text(encoding="utf-8").splitlines()[0]
        self.assertEqual(json.loads(first), {"name": "00000.jpg", "bytes": 0})
        refused = self.call("run", "photos", "--from", "yesterday")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--from is not for listings of directories", refused.stderr)
        refused = self.call("run", "photos", "--rows-per-file", "10")
        self.assertIn("--rows-per-file is not for listings of directories", refused.stderr)
        self.write("exports: {photos: {recipe: directory_listing, directry: x}}")
        checked = self.call("config", "check")
        self.assertIn("exports.photos.directry is not a setting; did you mean directory?", checked.stderr)
        self.assertIn("exports.photos.directory is missing", checked.stderr)
        self.assertIn("whose files are listed", self.good("config", "schema"))

    def test_a_name_that_is_no_text_is_refused_in_one_line(self):
        open(bytes(self.path / "photos") + b"/\xff.jpg", "w", encoding="ascii").close()
        refused = self.call("run", "photos")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("has a file whose name is not UTF-8; rename it", refused.stderr)

    def test_its_schedule_is_known(self):
        listed = json.loads(self.good("--json", "schedules"))["schedules"]
        self.assertEqual([each["export"] for each in listed], ["photos"])


if __name__ == "__main__":
    unittest.main()
