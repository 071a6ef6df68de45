#!/usr/bin/env bash
# Installs the n8n that the adapter is tested against into .engines/n8n: about 2 GB and ten minutes. Needs node 20.19 or newer, and a
# C++ compiler for its SQLite. Nothing outside the npm registry is fetched: xlsx comes from there too, and no install script runs.
set -euo pipefail
into="${1:-$(dirname "$0")/../../../../.engines/n8n}"
if [ -x "$into/node_modules/.bin/n8n" ] && [ -f "$into/.ready" ]; then exit 0; fi
command -v npm >/dev/null || { echo "n8n needs node and npm, which are not installed here." >&2; exit 1; }
mkdir -p "$into"
cat >"$into/package.json" <<'JSON'
{
  "name": "n8n-under-test",
  "private": true,
  "dependencies": {
    "n8n": "2.8.4",
    "@opentelemetry/core": "^2.1.0",
    "@opentelemetry/resources": "^2.1.0",
    "@opentelemetry/sdk-trace-base": "^2.1.0"
  },
  "overrides": {"xlsx": "0.18.5"}
}
JSON
cd "$into"
npm install --no-audit --no-fund --ignore-scripts --loglevel=error
npm_config_nodedir="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")" \
  npm rebuild sqlite3 --build-from-source --loglevel=error
touch .ready
