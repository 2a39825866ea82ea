#!/usr/bin/env bash
# Compiles idp/translations/*/LC_MESSAGES/messages.po where the compiled form is older or missing.
set -euo pipefail
cd "$(dirname "$0")/.."
for po in idp/translations/*/LC_MESSAGES/messages.po; do
  [ -e "$po" ] || continue
  mo=${po%.po}.mo
  if [ ! -e "$mo" ] || [ "$po" -nt "$mo" ]; then
    .venv/bin/pybabel --quiet compile --statistics -i "$po" -o "$mo" -l "$(basename "$(dirname "$(dirname "$po")")")" >/dev/null
  fi
done
