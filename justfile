# The verbs of daily work, in an environment made by the README's test command.

export PATH := justfile_directory() / ".venv/bin:" + env("PATH")

# the quick tests
test *args:
    pytest -q {{args}}

# every test
all *args:
    pytest -q -m "" {{args}}

# style, types and the import law
lint:
    ruff check .
    ruff format --check .
    lint-imports
    mypy

# rewrite what is generated: tables of the parser, formatting, docs/errors.md, sessions in the documents, what ships
update:
    python -m policydsl.automaton_json
    ruff format .
    ruff check --fix .
    policyctl explain --all > docs/errors.md
    PYTHONPATH=. python tests/documents.py
    PYTHONPATH=. python tests/shipped.py
    PYTHONPATH=. python tests/dashboard.py
    policyctl graph specs/mvg/lifecycle.policy -o docs/lifecycle.svg
    policyctl build specs/twin specs/agents/incidents.policy -o simulator/twin.bundle
    policyctl build specs/mvg/meta.policy specs/mvg/parameters.policy -o simulator/meta.bundle
    PYTHONPATH=. python tests/golden.py
    PYTHONPATH=. python tests/chains.py # needs npm

# measure
bench *args:
    python benchmarks/verify.py {{args}}
    python benchmarks/rules.py
    python benchmarks/decide.py
    python benchmarks/population.py
    python benchmarks/simulate.py
    python benchmarks/consensus.py
    python benchmarks/election.py
    python benchmarks/sidecar.py

# prove every policy that ships
verify *args:
    policyctl verify specs/ {{args}}

# what CI runs
ci:
    .ci/run
