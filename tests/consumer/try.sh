#!/usr/bin/env bash
# Uses the README's program as its reader would: start it, vote three times, look at the projection, stop it.
# usage: try.sh PROGRAM
set -euo pipefail

program=$(realpath "$1")
folder=$(mktemp -d)
cd "$folder"
"$program" 0 >out 2>err &
pid=$!
trap 'kill -KILL "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT

give_up=$((SECONDS + 30))
until grep -q '^admin on' out; do
    kill -0 "$pid" 2>/dev/null && ((SECONDS < give_up)) || { cat err && exit 1; }
    read -rt 0.05 <> <(:) || true
done
base=$(sed -n 's/^listening on //p' out)

for _ in 1 2 3; do
    curl --fail --silent --show-error -H 'X-Tenant: town' -H 'Content-Type: application/json' -d '{"option": "yes"}' "$base/votes"
done
state() { sqlite3 polls/town.sqlite3 "select version || ' ' || state from sluice_projection_state where key = 'yes'"; }
until [[ $(state) == '3 {"count":3}' ]]; do
    ((SECONDS < give_up)) || { echo "the projection is '$(state)', not 3 votes" && exit 1; }
    read -rt 0.05 <> <(:) || true
done
kill -TERM "$pid"
wait "$pid"
echo "three votes counted"
