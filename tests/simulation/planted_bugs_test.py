#!/usr/bin/env python3
"""Plants bugs in copies of the product's sources and checks that the simulation finds each.

Usage: planted_bugs_test.py <source folder> [<build folder>]
Without a build folder it only looks whether each bug still has its place in the sources.
Needs a build of `simulate` by Ninja: the changed file is compiled with that build's own command and
linked before the libraries, in whose place it steps.
"""

import dataclasses
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile


@dataclasses.dataclass
class Bug:
    name: str
    edits: list[tuple[str, str, str]]  # file below src/, what stands there, what is put instead
    seeds: int = 3000


BUGS = [
    Bug("jobs change without their lease",
        [("store/memory/memory_store_jobs.cc",
          "job.lease_owner == lease.owner && job.lease_token == lease.token", "true")]),
    Bug("chunks are settled without their lease",
        [("store/memory/memory_store_chunks.cc",
          "chunk.state == ChunkState::kLeased && chunk.lease_owner == lease.owner && chunk.lease_token == lease.token",
          "chunk.state == ChunkState::kLeased")]),
    Bug("files are published before the commit point",
        [("engine/finisher.cc", "TRY(storage::PutWhole(*destination.store, outcome_key, ToJson(outcome)));",
          """TRY(storage::PutWhole(*destination.store, outcome_key, ToJson(outcome)));
          for (const OutcomeFile& file : outcome.files) {
            TRY(destination.store->Compose(destination.directory + "/" + file.name, file.ranges, {}));
          }""")]),
    Bug("the manifest is published first",
        [("engine/finisher.cc", "for (const OutcomeFile& file : outcome.files) { const auto composed",
          """TRY(storage::PutWhole(store, directory + "/" + std::string(Manifest::kName), outcome.manifest));
          for (const OutcomeFile& file : outcome.files) { const auto composed""")]),
    Bug("nothing is reconciled",
        [("engine/finisher.cc", "if (counts.planned == job.counts.planned && counts.Reconciled()) return {};",
          "if (job.counts.planned >= 0 && counts.planned >= 0) return {};"),
         ("engine/processor.cc", "result->counts.planned != one.chunk.planned || !result->counts.Reconciled()",
          "result->counts.planned < 0")]),
    Bug("staged bytes are not made durable",
        [("engine/finisher.cc", "TRY(or_mark_lost(MakeDurable(*destination.store, assembly.files, held.stop())));", "")]),
    Bug("chunks whose staged bytes are lost stay succeeded",
        [("engine/finisher.cc", "TRY(MarkLostChunks(context, held, *destination.store, *staging));",
          "static_cast<void>(&MarkLostChunks);")]),
    Bug("a schedule moves without looking where it stands",
        [("store/memory/memory_store_schedules.cc",
          "if (!is_new && found->second.settled_until != *firing.after) return Fired{};",
          "if (!is_new && found->second.settled_until > firing.until) return Fired{};")]),
    Bug("a tick is settled before its job is put",
        [("engine/engine.cc", "store::Fired fired = TRY(store_.Fire(firing));",
          """std::optional<Job> job = std::exchange(firing.job, std::nullopt);
          store::Fired fired = TRY(store_.Fire(firing));
          if (fired.applied) fired.job = TRY(store_.Create(*job, true)).job;""")]),
    Bug("the manifest expires last",
        [("engine/expiry.cc", "for (const std::string_view first : {Manifest::kName, Manifest::kSignatureName}) {",
          """for (const auto& object : TRY(store.List(destination.directory + "/", "", 1000))) {
            if (!object.key.ends_with(Manifest::kName)) TRY(store.Remove(object.key));
          }
          for (const std::string_view first : {Manifest::kName, Manifest::kSignatureName}) {""")]),
    Bug("what has begun to expire is redriven",
        [("store/memory/memory_store_jobs.cc", "TRY(Require(!job.expiry, job, kExpired));",
          "static_cast<void>(kExpired);")]),
    Bug("an expiry that was cut short is not taken over",
        [("maintenance/expirer.cc", "filter_.begun_before = now - context.options.lease;", "filter_.begun_before = Timestamp();")]),
    Bug("a postponed chunk has had an attempt",
        [("store/memory/memory_store_chunks.cc", "chunk.attempts = std::max<int64_t>(attempts - 1, 0); if (settlement.kind == Settlement::Kind::kPostponed) chunk.attempts = 0;",
          "")]),
    Bug("a position that advances forgives nothing",
        [("store/memory/memory_store_chunks.cc", "return advances ? 1 : chunk.attempts;", "static_cast<void>(advances); return chunk.attempts;")]),
    Bug("a chunk begins at another's position",
        [("store/memory/memory_store_chunks.cc", "chunk.progress.position = settlement.position; chunk.attempts",
          """for (auto& [index, other] : (*entry)->chunks) {
            if (other.state == ChunkState::kPending) other.progress.position = settlement.position;
          }
          chunk.attempts""")]),
    Bug("a plan begins where an earlier attempt ended",
        [("store/memory/memory_store_chunks.cc",
          "Chunk& chunk = entry.chunks[added.index]; chunk.job_id = lease.job_id;",
          "if (entry.chunks.contains(added.index)) continue; Chunk& chunk = entry.chunks[added.index]; chunk.job_id = lease.job_id;")]),
    Bug("staged files stay",
        [("engine/finisher.cc", "return RemoveStaged(store, held.job.id, removed);", "return {};")]),
    Bug("discarding is tried for ever",
        [("engine/discarder.cc", "const bool retry = ShouldRetry(*failure, held->job.attempts, context.options);",
          "const bool retry = true;")]),
    Bug("a stage is asked for by the same key twice",
        [("staging/staging.cc", "++stages_asked_for_", "stages_.size()")]),
    Bug("lost messages stay lost",
        [("maintenance/rescuer.cc",
          "TRY(Dispatch(context.queue, job, context.options.hints_max));", "static_cast<void>(&Dispatch);"),
         ("engine/worker.cc", "TRY(Dispatch(context_.queue, *job, context_.options.hints_max));", "static_cast<void>(&Dispatch);")]),
    Bug("messages go oldest first over all groups",
        [("queue/memory/memory_queue.cc", "return std::max(last_of_group + 1, first_turn);",
          "static_cast<void>(std::max(last_of_group, first_turn)); return ++database_.messages_sent_;")]),
    Bug("the oldest job is let in, whoever has how many bytes in flight",
        [("store/memory/memory_store_jobs.cc",
          "if (next == nullptr || of_tenant[entry.job.tenant] < of_tenant[next->job.tenant]) next = &entry;",
          "if (next == nullptr) next = &entry;")]),
]


def pattern(text: str) -> re.Pattern:
    """Matches the text however it is broken into lines."""
    return re.compile(r"\s*".join(re.escape(token) for token in re.findall(r"\w+|[^\w\s]", text)))


def plant(source: pathlib.Path, before: str, after: str) -> str:
    text, count = pattern(before).subn(lambda _: after, source.read_text())
    if count != 1:
        raise SystemExit(f"planted_bugs: {source} has {count} places that read: {before}")
    return text


def compile_command(commands: list[dict], source: pathlib.Path) -> list[str]:
    for entry in commands:
        if pathlib.Path(entry["file"]) == source:
            return shlex.split(entry["command"])
    raise SystemExit(f"planted_bugs: no compile command for {source}")


def run(command: list[str], folder: pathlib.Path) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"planted_bugs: {shlex.join(command)}\n{done.stdout}")


def build(bug: Bug, sources: pathlib.Path, folder: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    commands = json.loads((folder / "compile_commands.json").read_text())
    objects = []
    for number, (name, before, after) in enumerate(bug.edits):
        source = sources / "src" / name
        planted = scratch / f"{number}-{source.name}"
        planted.write_text(plant(source, before, after))
        command = compile_command(commands, source)
        objects.append(str(planted.with_suffix(".o")))
        command[command.index("-o") + 1] = objects[-1]
        command[command.index("-c") + 1] = str(planted)
        command.append("-w")
        run(command, folder)
    steps = subprocess.run(["ninja", "-t", "commands", "simulate"], cwd=folder, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    link = re.sub(r"^: && (.*) && :$", r"\1", steps[-1])
    command = shlex.split(link)
    program = scratch / "simulate"
    at = command.index("-o")
    command[at + 1] = str(program)
    run(command[:at] + objects + command[at:], folder)
    return program


def main() -> int:
    sources, *folders = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    if not folders:
        for name, before, after in (edit for bug in BUGS for edit in bug.edits):
            plant(sources / "src" / name, before, after)
        return 0
    folder = folders[0]
    missed = 0
    for bug in BUGS:
        with tempfile.TemporaryDirectory() as scratch:
            program = build(bug, sources, folder, pathlib.Path(scratch))
            done = subprocess.run([program, "--seeds", str(bug.seeds), "--events", "0"],
                                  stdout=subprocess.PIPE, text=True, check=False)
        verdict = next((line for line in done.stdout.splitlines() if " fails: " in line), "not found")
        print(f"{bug.name}: {verdict}", flush=True)
        missed += done.returncode != 1
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
