# Every command does its own set-up. `make demo` is where to start.
.PHONY: setup demo test check fix soak bench wheel
PY = .venv/bin/python
# In the order of the files, so that what passed once passes again; `make soak` shuffles them.
FIXED = -p no:randomly
QUICK = not services and not browser and not interop
DEMO ?=

setup:
	@tools/setup.sh test

demo: ## everything on this machine: http://localhost:8000
	@tools/setup.sh demo
	@.venv/bin/gongmu demo $(DEMO)

test: ## every test, on real servers; the quick ones on two cores first
	@tools/setup.sh test
ifdef ARGS
	@$(PY) -m pytest $(FIXED) $(ARGS)
else
	@failed=0; $(PY) -m pytest $(FIXED) -q -n 2 -m "$(QUICK)" || failed=1; \
	$(PY) -m pytest $(FIXED) -m "not ($(QUICK))" || failed=1; exit $$failed
endif

check: ## format, lint, types, imports, dependencies, fast tests
	@tools/setup.sh check
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/deptry .
	$(PY) -m pytest $(FIXED) -q -n 2 -m "$(QUICK)" --cov --cov-report=term:skip-covered $(ARGS)

fix: ## format and fix what can be fixed
	@tools/setup.sh check
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

soak: ## races and fuzz at full counts (long)
	@tools/setup.sh test
	@GONGMU_SOAK=1 $(PY) -m pytest -m services $(ARGS)

bench: ## what a request costs, beside a peer on the same machine (docs/performance.md)
	@tools/setup.sh test
	@$(PY) -m tests.bench $(ARGS)

wheel: ## build the wheel and list it
	@tools/setup.sh check
	@tools/translations.sh
	@$(PY) -m hatchling build -t wheel && unzip -l dist/*.whl
