# `make demo` and `make test` work from a fresh clone: they build .venv from constraints.txt first.
PYTHON ?= python3
# torch is pinned in the same command: asked for unpinned, or by another package first, it is the newest CUDA build.
TORCH := torch==2.13.0
CLASSIC := mmengine==0.10.7 mmcv-lite==2.1.0 mmsegmentation==1.2.2
# One thread a process is fastest for models this small; two processes share two cores.
PYTEST := -m pytest -n 2 --dist loadfile
# Short tests that search for examples, which the slow suite searches anew.
SEARCHES = $(shell grep -rl hypothesis tests --include='test_*.py')
PACKAGING := constraints.txt setup.py $(wildcard requirements/*.txt)

export OMP_NUM_THREADS ?= 1
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test test-slow test-openmmlab lint docs .venv .venv-openmmlab .venv-docs

# Both trainings at once, one thread each: twice as fast as one after the other with two. They end together, too: a
# shell's background job does not hear Ctrl+C.
demo: .venv
	.venv/bin/python tools/train.py configs/madm/toy_infrared_source_only.py & source_only=$$!; \
	trap 'kill $$source_only 2>/dev/null' EXIT INT TERM; \
	.venv/bin/python tools/train.py configs/madm/toy_infrared.py && wait $$source_only
	.venv/bin/python -m mmdass report work_dirs/toy_infrared_source_only work_dirs/toy_infrared

test: .venv
	.venv/bin/python $(PYTEST)

test-slow: .venv/.demo
	.venv/bin/python $(PYTEST) -m slow --hypothesis-profile=random
	.venv/bin/python $(PYTEST) --hypothesis-profile=random $(SEARCHES)

test-openmmlab: .venv-openmmlab
	.venv-openmmlab/bin/python $(PYTEST)

lint: .venv
	.venv/bin/ruff check .

# The site sees the layout of the repository, so that a link works in both.
docs: .venv-docs
	rm -rf build/docs && mkdir -p build/docs && cp -r README.md docs configs build/docs
	.venv-docs/bin/mkdocs build --strict

.venv: .venv/.installed
.venv-openmmlab: .venv-openmmlab/.installed
.venv-docs: .venv-docs/.installed

# The constraints reach the isolated builds of the onedl sdists through the environment variable only.
.venv/.installed: $(PACKAGING)
	$(PYTHON) -m venv .venv
	PIP_CONSTRAINT=constraints.txt .venv/bin/pip install $(TORCH) setuptools -e '.[onedl,events,test]'
	touch $@

# What the demo page is tested with: Gradio, and Playwright, which drives Debian's Chromium.
.venv/.demo: .venv/.installed
	PIP_CONSTRAINT=constraints.txt .venv/bin/pip install $(TORCH) -e '.[onedl,demo]' playwright
	touch $@

.venv-openmmlab/.installed: $(PACKAGING)
	$(PYTHON) -m venv .venv-openmmlab
	PIP_CONSTRAINT=constraints.txt .venv-openmmlab/bin/pip install $(TORCH) setuptools $(CLASSIC) -e '.[openmmlab,events,test]'
	touch $@

.venv-docs/.installed: constraints.txt requirements/docs.txt
	$(PYTHON) -m venv .venv-docs
	PIP_CONSTRAINT=constraints.txt .venv-docs/bin/pip install -r requirements/docs.txt
	touch $@
