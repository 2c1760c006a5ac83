# Everything needed is set up on demand in .venv; only Python >= 3.11, make and a C compiler are assumed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SOURCE ?= auto

.PHONY: demo image test soak soak-coordination soak-queue lint format bench bench-coordination bench-queue kazoo-suite kafka-python-suite \
	zkcli-diff agreement screenshots clean setup

setup: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "windtunnel needs Python 3.11 or newer; set PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Setting up .venv (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

# CLUSTER=docker or local: all three components at the same time, on five real nodes.
demo: $(READY) $(if $(filter docker,$(CLUSTER)),image)
	@$(BIN)/windtunnel demo $(if $(CLUSTER),--cluster $(CLUSTER))

# What `--cluster docker` runs its nodes from; SOURCE=debian makes it without an image registry, as root.
# SYSTEM=zookeeper or mariadb makes the image of what is not ours, which a run would do when it is first needed.
image: $(READY)
	@$(BIN)/windtunnel image build --source $(SOURCE) $(if $(SYSTEM),--system $(SYSTEM))

# Clients of others iterate over sets of text: with one order of those a test does the same each time.
test: $(READY)
	@PYTHONHASHSEED=$${PYTHONHASHSEED:-0} $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

# The correct systems under all faults, from as many seeds of each test as wanted; a second make goes on.
soak: $(READY)
	@$(BIN)/python -m tests.soak ids --seeds $(or $(SEEDS),300) $(ARGS)

soak-coordination: $(READY)
	@$(BIN)/python -m tests.soak coordination --seeds $(or $(SEEDS),1000) $(ARGS)

soak-queue: $(READY)
	@$(BIN)/python -m tests.soak queue --seeds $(or $(SEEDS),1000) $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python -m bench

# kazoo's own tests against three processes of ours (some minutes); SERVER=debian: against the real server.
KAZOO := .kazoo-suite/.ready
$(KAZOO): tests/outside/kazoo_requirements.txt
	@test -x .kazoo-suite/bin/python || $(PYTHON) -m venv .kazoo-suite
	@.kazoo-suite/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

kazoo-suite: $(READY) $(KAZOO)
	@$(BIN)/python -m tests.outside.kazoo_suite --server $(or $(SERVER),ours) $(ARGS)

# kafka-python's integration tests, from its source distribution, against three brokers of ours (two
# minutes); BROKERS=1: against one, as the suite expects it.
KAFKA_PYTHON := .kafka-python-suite/.ready
$(KAFKA_PYTHON): tests/outside/kafka_python_requirements.txt
	@test -x .kafka-python-suite/bin/python || $(PYTHON) -m venv .kafka-python-suite
	@.kafka-python-suite/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@.kafka-python-suite/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
		--dest .kafka-python-suite "$$(grep ^kafka-python $<)"
	@rm -rf .kafka-python-suite/kafka_python-*/
	@tar -xzf .kafka-python-suite/kafka_python-*.tar.gz -C .kafka-python-suite
	@touch $@

kafka-python-suite: $(READY) $(KAFKA_PYTHON)
	@$(BIN)/python -m tests.outside.kafka_python_suite --brokers $(or $(BROKERS),3) $(ARGS)

# One script through Debian's zkCli.sh, to ours and to the real servers; needs the package zookeeper.
zkcli-diff: $(READY)
	@$(BIN)/python -m tests.outside.zkcli

# Side by side with Debian's ZooKeeper.
bench-coordination: $(READY)
	@$(BIN)/python -m bench coordination

# Three brokers under confluent-kafka, and our producer and consumer against aiokafka's.
bench-queue: $(READY)
	@$(BIN)/python -m bench queue queue_clients

# The mutants that are marked as seen on real clusters, in the simulator and there; writes docs/agreement.md.
# CLUSTER=sim, local or docker: only there.
agreement: $(READY)
	@$(BIN)/python -m tests.agreement $(if $(CLUSTER),--cluster $(CLUSTER)) $(ARGS)

screenshots: $(READY)
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.reports.screenshots

clean:
	rm -rf .venv .kazoo-suite .kafka-python-suite build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
