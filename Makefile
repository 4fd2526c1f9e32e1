# SPDX-License-Identifier: GPL-3.0-or-later
# ARGS goes to ansible-playbook, T names single checks:  make lab ARGS=--check    make test T="unit mypy"
.POSIX:
.PHONY: help lab stop clean fuzz test test-slow test-matrix rolling molecule bench requirements

help: # This text
	@sed -n 's/^\([a-z-]*\): # \(.*\)/\1|\2/p' Makefile | \
	  while IFS='|' read -r target what; do printf '  make %-13s %s\n' "$$target" "$$what"; done

lab: # Deploy three machines on this computer and prove that they have quorum
	@scripts/venv run
	@.venv/bin/ansible-playbook site.yml -i inventory $(ARGS)

stop: # Stop the lab; its data stay
	@scripts/stop

clean: # Stop the lab and remove everything that make has made
	@scripts/stop
	@git ls-files -oiz --directory --exclude-from=.gitignore | xargs -0 rm -rf

test: # Every check, the cheapest first
	@scripts/venv dev
	@.venv/bin/python scripts/test.py $(T)

test-slow: # The tests that make test leaves out, as they take minutes and rarely break
	@scripts/venv dev
	@.venv/bin/python -m pytest tests/unit tests/integration -m slow -n 2 --dist loadfile --no-loadscope-reorder

test-matrix: # Unit and integration tests on every supported ansible-core
	@scripts/test-matrix

rolling: # Every way to lose a quorum with a play, against the guard; takes many minutes
	@scripts/venv dev
	@.venv/bin/python -m pytest tests/rolling -n 3 --dist load

molecule: # Scenarios on machines with systemd, made on this computer; T names some
	@scripts/venv dev
	@PATH="$$PWD/.venv/bin:$$PATH" scripts/molecule $(T)

bench: # Measure what tests/bench measures
	@scripts/venv dev
	@for bench in tests/bench/*.py; do \
	  case $$bench in *_server.py) continue ;; esac; \
	  echo "== $$bench"; .venv/bin/python "$$bench" || exit 1; \
	done

fuzz: # Feed every parser 100,000 mutated inputs; takes an hour
	@scripts/venv dev
	@FUZZ=100000 .venv/bin/python -m pytest -q -n 2 tests/unit/test_fuzz.py

requirements: # Pin the newest packages that requirements/*.in allow
	@scripts/venv dev
	@for name in run dev; do \
	  .venv/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --no-annotate \
	    --python-version 3.11 "requirements/$$name.in" -o "requirements/$$name.txt" || exit 1; \
	done
