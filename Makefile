# Sets up a virtual environment of its own and works in it. PYTHON chooses the interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Idle threads that spin starve every other process on the machine.
export OMP_WAIT_POLICY := PASSIVE

.PHONY: demo test docs lint clean

demo: $(VENV)/ready
	$(BIN)/fourfold demo -o demo

test: $(VENV)/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

docs: $(VENV)/ready-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(VENV)/ready-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# torch goes first and with its exact version: asked for by a range, an installer takes the newest build for GPUs.
$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch -c constraints.txt
	$(BIN)/python -m pip install --quiet -e . -c constraints.txt
	touch $@

$(VENV)/ready-test: $(VENV)/ready
	$(BIN)/python -m pip install --quiet -e '.[test,docs]' -c constraints.txt
	touch $@

clean:
	rm -rf $(VENV) build dist demo report
