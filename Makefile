# Every target does its own set-up: missing Debian packages, Arrow, Python packages (see setup/).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
ONLY ?=
SEEDS ?= 1000
SEED0 ?= 1
SECONDS_EACH := $(or $(SECONDS),30)
KILLS ?= 20
PREFIX ?= /usr/local

##@ Use
demo: setup-build ## build, then ingest, export and verify real input
	@$(call build,release,spillway)
	@demo/run.sh

demo-open-data: setup-build setup-test ## build, then export a PostgreSQL's readings by location and day, twice
	@$(call build,release,spillway)
	@.deps/venv/bin/python -B demo/open-data/run.py

build: setup-build ## build the release binary: build/release/src/cli/spillway
	@$(call build,release,spillway)

install: build ## install the binary, its libraries and man page under PREFIX=/usr/local
	@cmake --install build/release --prefix $(PREFIX)

##@ Check
test: setup-build setup-test ## build everything and run every test but the long ones below
	@$(call build,release,all)
	@ctest --preset release

kill: setup-build setup-test ## SIGKILL the binary KILLS=20 times during ingest and export, then compare rows
	@$(call build,release,all)
	@SPILLWAY_KILLS=$(KILLS) ctest --preset kill

s3: setup-build setup-test setup-s3 ## run what needs an S3 server, against a real one
	@$(call build,release,spillway storage_s3_server_test)
	@ctest --preset s3

age: setup-build setup-test setup-age ## sealed files, beside C2SP's test vectors and other people's programs
	@$(call build,release,age_vectors_test age_file)
	@ctest --preset age

partition: setup-build setup-test setup-partition ## four workers on one PostgreSQL over networks that fail (toxiproxy)
	@$(call build,release,spillway)
	@ctest --preset partition

simulate: setup-build ## run the engine under SEEDS=1000 seeded schedules with faults, from SEED0=1
	@$(call build,release,simulate)
	@build/release/tests/simulation/simulate --seeds $(SEEDS) --first-seed $(SEED0)

plant: setup-build setup-test ## plant bugs in copies of the engine; the simulation has to find each
	@$(call build,release,simulate)
	@ctest --preset slow

asan: setup-build setup-test setup-lint ## tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(call build,asan,all)
	@ctest --preset asan

tsan: setup-build setup-test setup-lint ## tests under ThreadSanitizer
	@$(call build,tsan,all)
	@ctest --preset tsan

fuzz: setup-build setup-lint ## run each fuzzer for SECONDS=30
	@$(call build,fuzz,fuzzers)
	@tests/fuzz/run.sh build/fuzz $(SECONDS_EACH)

bench: setup-build setup-test setup-bench ## measure ours and the peers in one run; ONLY=lake for one table
	@$(call build,release,all)
	@ONLY=$(ONLY) bench/run.sh

##@ Write
lint: setup-build setup-lint ## format, names and clang-tidy, without changing a file; LANDED=.ci/landed: what changed since
	@tests/style/repository.sh
	@git ls-files '*.h' '*.cc' | xargs -r clang-format-19 --dry-run -Werror --ferror-limit=1 || { echo 'lint: make format mends it'; exit 1; }
	@cmake --preset lint >/dev/null
	@tests/style/tidy.py build/lint --jobs $(JOBS) $(if $(LANDED),--landed $(LANDED))

format: setup-lint ## rewrite the sources as .clang-format says
	@git ls-files --cached --others --exclude-standard '*.h' '*.cc' | xargs -r clang-format-19 -i

rooms: ## draw which rooms of src/ include which: docs/rooms.svg
	@python3 -B tests/style/draw_rooms.py .

clean: ## remove build/ (.deps stays)
	@rm -rf build

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

# $(call build,<preset>,<target>)
define build
cmake --preset $(1) >/dev/null && cmake --build --preset $(1) --parallel $(JOBS) --target $(2)
endef

setup-build:
	@setup/install.sh build
	@setup/arrow.sh

setup-test:
	@setup/install.sh test
	@setup/python.sh test

setup-bench:
	@setup/install.sh bench
	@setup/go_tool.sh river
	@setup/python.sh bench

setup-lint:
	@setup/install.sh lint

setup-age:
	@setup/age_vectors.sh
	@setup/go_tool.sh age

setup-partition:
	@setup/go_tool.sh toxiproxy

setup-s3:
	@setup/go_tool.sh versitygw

.PHONY: age demo demo-open-data build install test kill partition s3 simulate plant asan tsan fuzz bench lint format rooms clean help \
  setup-age setup-build setup-test setup-bench setup-lint setup-partition setup-s3
