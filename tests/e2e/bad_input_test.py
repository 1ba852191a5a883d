#!/usr/bin/env python3
"""Bad input: one clear line, the right exit code, nothing lost and nothing half-written."""
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from deployment import SPILLWAY, Deployment, make_messages

RANGE = ("--from", "2025-01-10", "--to", "2025-01-20")


class BadInputTest(unittest.TestCase):
    def setUp(self):
        self.spillway = Deployment()
        self.spillway.ingest(make_messages(1, 200))

    def tearDown(self):
        self.spillway.close()

    def refuse(self, code, *words, command=None, env=None):
        """Runs a command that must fail with this code, print one line that has the words, and export nothing."""
        answer = self.spillway.call(*command, env=env)
        self.assertEqual(answer.code, code, answer.err + answer.out)
        lines = answer.err.splitlines()
        self.assertEqual(len(lines), 1, answer.err)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertEqual([name for name in self.spillway.files() if name.startswith("exports/")], [])

    def run_command(self, *arguments, organisation="acme"):
        return ("run", "messages", "-o", organisation, *arguments)

    def test_unknown_organisation(self):
        self.refuse(3, "acmee", "acme", command=self.run_command(*RANGE, organisation="acmee"))

    def test_unknown_export(self):
        self.refuse(3, "mesages", "messages", command=("run", "mesages", "-o", "acme", *RANGE))

    def test_what_a_terminal_would_act_on_is_escaped(self):
        self.refuse(3, "mes\\u001b[31m\\u009b1m\\u007f\\x9bages", command=("run", b"mes\x1b[31m\xc2\x9b1m\x7f\x9bages".decode(errors="surrogateescape")))
        self.refuse(2, "--no\\u001b[1m", command=self.run_command(*RANGE, "--no\x1b[1m"))
        (self.spillway.path / "spillway.yaml").write_text("exports: {messages: {format: \"c\\x9b1mv\"}}\n")
        self.refuse(2, "c\\u009b1mv", command=self.run_command(*RANGE))

    def test_what_a_terminal_would_act_on_is_escaped_on_standard_output(self):
        name = "m\x1b[31m\u009b1m\x7f\nforged: whole and unchanged.ndjson"
        shown = "m\\u001b[31m\\u009b1m\\u007f\\u000aforged: whole and unchanged"
        shutil.copy(self.spillway.path / "messages.ndjson", self.spillway.path / name)
        answer = self.spillway.good("ingest", name)
        self.assertRegex(answer.out, "^" + re.escape(shown) + r"\.ndjson: .*\n$")
        job = self.spillway.json(*self.run_command(*RANGE, "--output", "out\u009b31m"))
        plain = self.spillway.good("jobs", "show", job["id"]).out
        self.assertIn("/out\\u009b31m/acme/", plain)
        (self.spillway.path / "spillway.yaml").write_text("lake: {directory: \"lake\\x9b31m\"}\n")
        plain += self.spillway.call("doctor").out
        self.assertIn("lake\\u009b31m: ", plain)
        as_json = self.spillway.call("--json", "doctor").out
        self.assertIn("lake\u009b31m", "".join(finding["what"] for finding in json.loads(as_json)))
        for printed in plain, as_json:
            self.assertNotRegex(printed, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    def test_every_failure_is_one_json_object_where_json_is_asked_for(self):
        broken = self.spillway.path / "broken.yaml"
        broken.write_text("engine: {threads: many}\nlog: {level: loudest}\n")
        for command, words in ((("jbos",), "jbos"), ((), "subcommand"), (("jobs", "show"), "job"), (self.run_command("--nonsense"), "--nonsense"),
                               (("jobs", "list", "--limit", "x"), "limit"), (("-c", broken, "jobs", "list"), "engine.threads"),
                               (("-c", broken, "doctor"), "log.level"), (("serve",), "--no-http")):
            for whole in (("--json", *command), (*command, "--json")):
                answer = self.spillway.call(*whole)
                self.assertEqual((answer.code, answer.out), (2, ""), answer.err)
                error = json.loads(answer.err)["error"]
                self.assertEqual(error["code"], "invalid_argument")
                self.assertIn(words, error["message"])

    def test_a_command_that_is_none_is_named_with_the_nearest(self):
        for command, nearest in ((("jbos", "list"), "jobs"), (("jobs", "lst"), "list"), (("jobs", "lsit", "--limit", "3"), "list"),
                                 (("config", "chekc"), "check"), (("open-data", "satus"), "status")):
            self.refuse(2, f'there is no command "{command[1] if nearest != "jobs" else "jbos"}"; did you mean {nearest}?', "--help", command=command)
        self.refuse(2, 'there is no command "frobnicate"; see: spillway --help', command=("frobnicate",))

    def test_standard_output_takes_one_file(self):
        for limit in (("--rows-per-file", "10"), ("--bytes-per-file", "1 MiB")):
            answer = self.spillway.call(*self.run_command(*RANGE, "--output", "-", *limit))
            self.assertEqual((answer.code, answer.out), (2, ""), answer.err)
            self.assertRegex(answer.err, rf"^spillway: {limit[0]} is [0-9]+, which makes several files, and standard output takes one")
            answer = self.spillway.call(*self.run_command(*RANGE, "--output", "-", *limit, "--on-limit", "truncate"))
            self.assertEqual(answer.code, 0, answer.err)
        (self.spillway.path / "spillway.yaml").write_text("exports: {messages: {limits: {rows_per_file: 10}}}\n")
        self.refuse(2, "spillway: the configuration's limits.rows_per_file is 10, which makes several files",
                    command=self.run_command(*RANGE, "--output", "-"))
        self.spillway.good(*self.run_command(*RANGE, "--output", "-", "--rows-per-file", "0"))

    def test_flags_are_named_as_they_were_given(self):
        self.refuse(2, "--null is for CSV", command=self.run_command(*RANGE, "-f", "json", "--null", "x"))
        self.refuse(2, "--null reads like a number", command=self.run_command(*RANGE, "--null", "1"))
        self.refuse(2, "--compression is gzip, and parquet", command=self.run_command(*RANGE, "-f", "parquet", "-C", "gzip"))
        self.refuse(2, "--columns has two named", command=self.run_command(*RANGE, "--columns", "body,body"))
        self.refuse(2, '--columns gives "body" a name with a control character', command=self.run_command(*RANGE, "--columns", "body=a\nb"))
        self.refuse(2, "--bytes-per-file cannot be kept", command=self.run_command(*RANGE, "-f", "parquet", "--bytes-per-file", "1 MiB"))

    def test_what_a_variable_gave_is_not_shown(self):
        config = self.spillway.path / "spillway.yaml"
        text = ("databases: {shop: {url: 'postgres://shop'}}\n"
                "exports: {one: {recipe: query_export, database: shop, query: 'SELECT :token', parameters: {token: '${TOKEN}'}}}\n")
        variables = {"TOKEN": "open-sesame"}
        config.write_text(text)
        shown = self.spillway.good("config", "show", env=variables).out
        self.assertIn('token: "${TOKEN}"', shown)
        self.assertNotIn("open-sesame", shown)
        config.write_text(shown.replace('"(secret)"', "postgres://shop"))
        self.assertEqual(self.spillway.good("config", "show", env=variables).out, shown)
        config.write_text(text + "schedules: {of: {export: one, cron: '@daily', rows_per_file: '${TOKEN}'}}\n")
        answer = self.spillway.call("config", "check", env=variables)
        self.assertEqual(answer.code, 2)
        self.assertIn("schedules.of.rows_per_file is not usable; what came out of a variable is not shown", answer.err)
        self.assertNotIn("open-sesame", answer.err)

    def test_unknown_job(self):
        self.spillway.good("worker", "--until-idle")
        self.assertIn("no jobs", self.spillway.good("jobs", "list").out)
        for command in (("show",), ("cancel",), ("redrive",)):
            self.refuse(3, "there is no job nowhere-1; `spillway jobs list` shows those there are", command=("jobs", *command, "nowhere-1"))

    def test_range_that_ends_before_it_starts(self):
        self.refuse(2, "2025-01-20", command=self.run_command("--from", "2025-01-20", "--to", "2025-01-10"))

    def test_date_that_is_none(self):
        self.refuse(2, "2025-02-30", command=self.run_command("--from", "2025-02-30", "--to", "2025-03-10"))

    def test_unknown_zone(self):
        self.refuse(2, "Europe/Vienna", command=self.run_command(*RANGE, "-z", "Europe/Viena"))

    def test_unknown_column(self):
        self.refuse(2, "boddy", "body", command=self.run_command(*RANGE, "--columns", "boddy"))
        self.refuse(2, "zzz", "use message_id, ts", command=self.run_command(*RANGE, "--columns", "zzz"))

    def test_unknown_format(self):
        self.refuse(2, "cvs", "csv", command=self.run_command(*RANGE, "--format", "cvs"))

    def test_every_command_has_help_with_examples_of_its_own(self):
        def subcommands(text):
            listed = text.partition("Subcommands:\n")[2].partition("\n\n")[0]
            return [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]

        def look(*words):
            text = self.spillway.good(*words, "--help").out
            examples = [line for line in re.split("Examples?[^\n]*:\n", text)[-1].splitlines() if "spillway" in line]
            # A group's examples are those of its commands; each of these has its own.
            own = " ".join(words) if not subcommands(text) else words[0]
            self.assertTrue(any(f" {own}" in line for line in examples), f"spillway {' '.join(words)}: {text}")
            if len(words) > 1:
                self.assertTrue(all(f" {own}" in line for line in examples), f"spillway {' '.join(words)}: {text}")
            for name in subcommands(text):
                look(*words, name)

        for command in subcommands(self.spillway.good("--help").out):
            look(command)

    def test_unknown_command_and_flag(self):
        self.refuse(2, "--help", command=("exprot",))
        self.refuse(2, "--help", command=self.run_command(*RANGE, "--nonsense"))

    def test_lake_file_cut_short(self):
        path = next((self.spillway.path / "lake").rglob("*.parquet"))
        path.write_bytes(path.read_bytes()[:-100])
        self.refuse(5, path.name, command=self.run_command(*RANGE))

    def test_lake_file_changed(self):
        path = max((self.spillway.path / "lake").rglob("*.parquet"), key=lambda path: path.stat().st_size)
        whole = path.read_bytes()
        path.write_bytes(whole[:200] + bytes(64) + whole[264:])
        self.refuse(5, path.name, command=self.run_command(*RANGE))

    def test_lake_file_missing(self):
        path = next((self.spillway.path / "lake").rglob("*.parquet"))
        path.unlink()
        answer = self.spillway.call(*self.run_command(*RANGE))
        self.assertIn(answer.code, (3, 5))
        self.assertIn(path.name, answer.err)

    def test_lake_file_with_another_schema(self):
        (self.spillway.path / "spillway.yaml").write_text(
            "lake:\n  columns: [{name: ts, type: timestamp}, {name: subject, type: string}]\n")
        self.refuse(5, "subject", command=self.run_command(*RANGE))

    def test_database_from_a_newer_version(self):
        self.spillway.call(*self.run_command(*RANGE, organisation="nobody"))  # Makes the state.
        with sqlite3.connect(self.spillway.path / "state.db") as state:
            state.execute("PRAGMA user_version = 999")
        self.refuse(5, "999", "upgrade", command=self.run_command(*RANGE))

    def test_database_that_a_newer_version_migrates_while_a_worker_runs(self):
        self.spillway.call(*self.run_command(*RANGE, organisation="nobody"))
        worker = self.spillway.start("worker")
        try:
            time.sleep(1)
            self.assertIsNone(worker.poll())
            with sqlite3.connect(self.spillway.path / "state.db") as state:
                state.execute("PRAGMA user_version = 999")
            time.sleep(2)
        finally:
            worker.send_signal(signal.SIGTERM)
            log = worker.communicate(timeout=60)[1].decode()
        self.assertIn("has schema 999", log)
        self.assertIn("upgrade spillway", log)

    def test_state_that_is_no_database(self):
        (self.spillway.path / "state.db").write_bytes(b"this is not a database, whatever its name says\n" * 100)
        for beside in ("state.db-wal", "state.db-shm"):
            (self.spillway.path / beside).unlink(missing_ok=True)
        self.refuse(5, "state.db", command=self.run_command(*RANGE))

    def test_exports_and_the_lake_stay_apart(self):
        before = self.spillway.files("lake")
        (self.spillway.path / "link").symlink_to("lake")
        for place in ("lake", "lake/out", "link/out", "exports/../lake/_log"):
            self.refuse(2, "--output is ", "in the directory of the lake", command=self.run_command(*RANGE, "--output", place))
        self.refuse(2, "--output is ", "which has the lake", command=self.run_command(*RANGE, "--output", "."))
        self.refuse(2, "--output is ", "in a folder .spillway", command=self.run_command(*RANGE, "--output", "out/.spillway/jobs"))
        (self.spillway.path / "spillway.yaml").write_text("exports:\n  messages:\n    destination: link/out\n")
        self.refuse(2, "spillway.yaml:3:18: exports.messages.destination is ", command=("config", "check"))
        self.assertEqual(self.spillway.files("lake"), before)

    def test_destination_that_is_a_file(self):
        (self.spillway.path / "taken").write_text("")
        for place, file in (("taken", "/taken: "), ("taken/below", "/taken: "), ("/dev/null", " /dev/null: ")):
            self.refuse(2, file, "a part of this path is a file", command=self.run_command(*RANGE, "--output", place))

    def test_unwritable_directory(self):
        sealed = self.spillway.path / "sealed"
        sealed.mkdir(mode=0o555)
        for path in [self.spillway.path, *self.spillway.path.rglob("*")]:
            if path != sealed:
                os.chmod(path, 0o777)
        command = [SPILLWAY, *self.run_command(*RANGE, "--output", "sealed")]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
        done = subprocess.run(command, cwd=self.spillway.path, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("sealed", done.stderr)
        self.assertEqual(list(sealed.iterdir()), [])

    def test_full_disk(self):
        answer = self.spillway.call(*self.run_command(*RANGE, "--output", "-"))
        self.assertEqual(answer.code, 0)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([SPILLWAY, *self.run_command(*RANGE, "--output", "-")], cwd=self.spillway.path,
                                  stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 7, done.stderr)

    def test_file_size_limit_leaves_nothing(self):
        command = f"ulimit -f 16; exec {SPILLWAY} {' '.join(self.run_command(*RANGE, '--null', 'big'))}"
        done = subprocess.run(["bash", "-c", "trap '' XFSZ; " + command], cwd=self.spillway.path, capture_output=True,
                              text=True, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual([name for name in self.spillway.files() if name.endswith(("manifest.json", ".csv"))], [])

    def test_reader_that_goes_away(self):
        self.spillway.ingest(make_messages(2, 5000), "more.ndjson")  # More than a pipe holds.
        command = " ".join([SPILLWAY, *self.run_command(*RANGE, "--output", "-")])
        done = subprocess.run(["bash", "-c", f"{command} | head -c 1; exit ${{PIPESTATUS[0]}}"],
                              cwd=self.spillway.path, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 130, done.stderr)
        self.assertIn("reader of the output stream went away", done.stderr)

    def test_text_that_is_not_utf8(self):
        self.refuse(2, "UTF-8", command=self.run_command(*RANGE, "--null", b"\xff".decode("utf-8", "surrogateescape")))
        answer = self.spillway.call("--json", "jobs", "show", b"\xff".decode("utf-8", "surrogateescape"))
        self.assertEqual((answer.code, json.loads(answer.err)["error"]["code"]), (3, "not_found"))

    def test_configuration_that_cannot_be_looked_at(self):
        sealed = self.spillway.path / "sealed"
        sealed.mkdir()
        (sealed / "spillway.yaml").write_text("")
        path = self.spillway.path
        os.chmod(path, 0o755)
        os.chmod(sealed, 0o000)
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        for command in (("config", "check"), ("init",)):
            done = subprocess.run([*prefix, SPILLWAY, "-c", "sealed/spillway.yaml", *command], cwd=path,
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (6, 1), done.stderr)
            self.assertIn("sealed/spillway.yaml", done.stderr)

    def test_failed_stream_says_why_as_json(self):
        path = next((self.spillway.path / "lake").rglob("*.parquet"))
        path.write_bytes(path.read_bytes()[:-100])
        for flags in (("--json",), ("-q", "--json")):
            answer = self.spillway.call(*flags, *self.run_command(*RANGE, "--output", "-"))
            job = json.loads(answer.err)
            self.assertEqual((answer.code, job["state"]), (5, "failed"))
            self.assertIn(path.name, job["failure"]["message"])
        shown = self.spillway.good("jobs", "show", job["id"]).out
        self.assertIn("failure: ", shown)
        self.assertNotIn("planned", shown)
        self.refuse(4, "standard output of a process that has ended; run the export again", command=("jobs", "redrive", job["id"]))
        self.assertEqual(self.spillway.json("jobs", "show", job["id"])["state"], "failed")

    def test_next_page_keeps_the_filters(self):
        for null in ("a", "b", "c"):
            self.spillway.good(*self.run_command(*RANGE, "--null", null))
        ids = []
        command = ["jobs", "list", "--state", "succeeded", "--tenant", "acme", "--limit", "1"]
        while True:
            lines = self.spillway.good(*command).out.splitlines()
            ids.append(lines[0].split()[0])
            if len(lines) == 1:
                break
            command = lines[1].removeprefix("more: spillway ").split()
            self.assertEqual(command[:8], ["jobs", "list", "--state", "succeeded", "--tenant", "acme", "--limit", "1"])
        self.assertEqual(len(set(ids)), 3)

    def test_configuration_with_five_mistakes(self):
        (self.spillway.path / "spillway.yaml").write_text("""\
state: state.db
lake:
  directry: lake
  columns:
    - {name: ts, type: timestmp}
engine:
  threads: many
  attempts: -4
exports:
  messages:
    format: cvs
""")
        answer = self.spillway.call("config", "check")
        self.assertEqual(answer.code, 2)
        lines = answer.err.splitlines()
        self.assertEqual(len(lines), 5, answer.err)
        for line, (place, word) in zip(lines, [("3:3", "directory"), ("5:24", "timestamp"), ("7:12", "many"),
                                               ("8:13", "-4"), ("11:13", "csv")]):
            self.assertIn(f"spillway.yaml:{place}:", line)
            self.assertIn(word, line)

    def test_configuration_that_is_not_there(self):
        self.refuse(3, "nowhere.yaml", "init", command=("-c", "nowhere.yaml", *self.run_command(*RANGE)))

    def test_secrets_stay_out_of_errors(self):
        (self.spillway.path / "spillway.yaml").write_text("state: ${SECRET_PATH}\nlog: {level: loudest}\n")
        answer = self.spillway.call("config", "check", env={"SECRET_PATH": "hunter2"})
        self.assertEqual(answer.code, 2)
        self.assertNotIn("hunter2", answer.err)

    def test_job_that_is_none(self):
        self.spillway.good(*self.run_command(*RANGE, "--output", "other"))
        self.refuse(3, "no-such-job", command=("jobs", "show", "no-such-job"))
        self.refuse(3, "no-such-job", command=("jobs", "cancel", "no-such-job"))
        self.refuse(3, "no-such-job", command=("jobs", "redrive", "no-such-job"))

    def test_errors_as_json(self):
        answer = self.spillway.call("--json", "jobs", "show", "no-such-job")
        self.assertEqual(json.loads(answer.err)["error"]["code"], "not_found")

    def test_failed_job_is_redriven(self):
        path = next((self.spillway.path / "lake").rglob("*.parquet"))
        kept = self.spillway.path / "kept.parquet"
        shutil.move(path, kept)
        answer = self.spillway.call(*self.run_command(*RANGE))
        self.assertIn(answer.code, (3, 5))
        job = self.spillway.json("jobs", "list", "--state", "failed")["jobs"][0]
        shutil.move(kept, path)
        self.spillway.good("jobs", "redrive", job["id"])
        self.spillway.good("worker", "--until-idle")
        job = self.spillway.json("jobs", "show", job["id"])
        self.assertEqual((job["state"], job["counts"]["written"]), ("succeeded", 200))
        self.assertEqual(self.spillway.call("jobs", "redrive", job["id"]).code, 4)
        self.assertEqual(self.spillway.call("jobs", "cancel", job["id"]).code, 4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
