#!/usr/bin/env bash
# Renews the two lock files (names, versions, hashes; no addresses). Needs `uv` on the path.
set -euo pipefail
cd "$(dirname "$0")/.."
common=(--python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate --quiet)
uv pip compile pyproject.toml --all-extras --group build "${common[@]}" "$@" -o conf/requirements.lock
uv pip compile pyproject.toml --all-extras --group build --group check --group test -c conf/requirements.lock "${common[@]}" "$@" -o conf/requirements-dev.lock
