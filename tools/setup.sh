#!/usr/bin/env bash
# Sets a checkout up: .venv from the lock, Debian's packages where a group needs them.
# Usage: tools/setup.sh demo|check|test. Doing it twice costs nothing: stamps hold what was done.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-test}

need_debian() { # need_debian COMMAND-OR-PATH PACKAGE ...: installs what is missing, when root
  local missing=()
  while [ $# -gt 0 ]; do
    if ! command -v "$1" >/dev/null 2>&1 && ! compgen -G "$1" >/dev/null; then missing+=("$2"); fi
    shift 2
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "Please install these Debian packages first, then run this again: ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing Debian packages: ${missing[*]}" >&2
  apt-get update -qq
  local policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then policy=; else
    printf '#!/bin/sh\nexit 101\n' >"$policy" # Debian starts no service that it installs
    chmod 755 "$policy"
  fi
  local rc=0
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || rc=$?
  [ -z "$policy" ] || rm -f "$policy"
  return "$rc"
}

find_python() { # a Python 3.11 that can make a virtual environment
  local p
  for p in /usr/bin/python3.11 python3.11 python3; do
    if "$p" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$p"; return 0
    fi
  done
  return 1
}

if ! python=$(find_python); then
  need_debian /nonexistent/python3 python3 /nonexistent/venv python3-venv
  python=$(find_python) || { echo "Python 3.11 or newer with venv is needed." >&2; exit 1; }
fi

lock=conf/requirements.lock
[ "$what" = demo ] || lock=conf/requirements-dev.lock
stamp=.venv/.done-$(sha256sum "$lock" pyproject.toml | sha256sum | cut -c1-16)
if [ ! -e "$stamp" ]; then
  echo "Setting up .venv; the first time it takes a minute or two" >&2
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
  touch "$stamp"
fi
tools/translations.sh

if [ "$what" = test ]; then
  need_debian /usr/sbin/slapd slapd ldapsearch ldap-utils redis-server redis-server redis-sentinel redis-sentinel \
    '/usr/lib/postgresql/*/bin/initdb' postgresql chromium chromium chromedriver chromium-driver \
    '/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc' fonts-noto-cjk \
    /usr/sbin/apache2 apache2 /usr/lib/apache2/modules/mod_auth_openidc.so libapache2-mod-auth-openidc
  for folder in tests/interop tests/bench; do
    node_stamp=$folder/node_modules/.done-$(sha256sum "$folder/package-lock.json" | cut -c1-16)
    [ -e "$node_stamp" ] && continue
    PATH="$PWD/.venv/bin:$PATH" .venv/bin/npm --prefix "$folder" ci --ignore-scripts --no-audit --no-fund --loglevel=error
    touch "$node_stamp"
  done
fi
