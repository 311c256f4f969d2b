# `make demo` and `make test` do all their own set-up in .venv.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test check bench lint docs clean

# A choice of the tests for the hand: quick ones of every room.
CHECK = audio batches bundle cards checks classes console crops distributions features files flags import_order \
	layouts metrics models recognizer registry splits

# The stamp keeps a second `make` from installing again; a change of the dependencies renews it.
.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

demo: .venv/installed
	rm -rf demo
	$(BIN)/python recipes/recognition/train.py --config recipes/recognition/presets/words.yaml --output demo
	$(BIN)/audionet recognize demo/model.safetensors demo/clips
	$(BIN)/audionet generate digits --label seven --seed 3 --output demo/seven.wav

test: .venv/installed
	$(BIN)/python -m pytest

check: .venv/installed
	$(BIN)/ruff check
	$(BIN)/python -m pytest --durations=3 $(CHECK:%=tests/test_%.py)

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: .venv/installed
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv demo runs site
