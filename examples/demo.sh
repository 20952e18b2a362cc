#!/usr/bin/env bash
# Real traces through a daemon of its own: imported, read, imported again, audited. `./dev demo` builds and calls it.
#
#   examples/demo.sh --bin build/release/bin [--kafka] [--exit]
#
# --kafka: the log is a topic of a real broker, which it starts and stops itself.
# Without --exit the daemon stays up until Ctrl-C. Exit 0 only if every check held.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

BIN=build/release/bin
STOP_AT_END=0
KAFKA=0
while (($#)); do
  case "$1" in
    --bin)
      BIN="${2:?--bin needs a folder}"
      shift
      ;;
    --exit) STOP_AT_END=1 ;;
    --kafka) KAFKA=1 ;;
    *)
      echo "usage: examples/demo.sh [--bin FOLDER] [--kafka] [--exit]" >&2
      exit 2
      ;;
  esac
  shift
done

readonly TRACES=(examples/data/azure-llm-2023/code.csv examples/data/azure-llm-2023/conv.csv)
readonly EVENTS=examples/data/demo/events.ndjson
# The same on every machine and on either log, for what is imported never changes.
readonly EXPECTED=examples/demo.digest
WORK="$(mktemp -d "${TMPDIR:-/tmp}/odometer-demo.XXXXXX")"
DAEMON_PID=""
HELD=1

stop_daemon() {
  [[ -n "$DAEMON_PID" ]] || return 0
  local pid="$DAEMON_PID" result=0
  DAEMON_PID=""
  kill -TERM "$pid" 2>/dev/null || true
  wait "$pid" || result=$?
  return "$result"
}

clean_up() {
  stop_daemon || true
  ((KAFKA == 0)) || deploy/kafka/kafka.sh stop --dir "$WORK/kafka" || true
  rm -rf "$WORK"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# check TEXT COMMAND...: says whether it held, and goes on.
check() {
  local text="$1"
  shift
  if "$@"; then
    echo "ok    $text"
  else
    echo "FAIL  $text"
    HELD=0
  fi
}

# A broker on ports that nobody listens on, and the topic that is the log.
start_kafka() {
  local port=29392 bootstrap
  while (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 2)); done
  bootstrap="$(deploy/kafka/kafka.sh start --dir "$WORK/kafka" --port "$port" --heap 384 --fast)"
  export ODOMETER_LOG="kafka://$bootstrap/odometer"
  "$BIN/odometer" topics create
}

start_daemon() {
  "$BIN/odometerd" --listen 127.0.0.1:0 --data-dir "$WORK/data" >"$WORK/odometerd.log" 2>&1 &
  DAEMON_PID=$!
  local deadline=$((SECONDS + 60))
  until [[ -s "$WORK/data/http.address" ]]; do
    if ! kill -0 "$DAEMON_PID" 2>/dev/null || ((SECONDS > deadline)); then
      echo "demo: odometerd did not start; it said:" >&2
      cat "$WORK/odometerd.log" >&2
      exit 1
    fi
    sleep 0.05
  done
  local address
  address="$(cat "$WORK/data/http.address")"
  export ODOMETER_SERVER="http://${address#http://}"
}

# figure EXPRESSION <JSON: a figure of a report, by Python on `report`.
figure() { python3 -c "import json, sys; report = json.load(sys.stdin); print($1)"; }

digest() { "$BIN/odometer" digest --json | figure 'report["state_digest"]'; }

# is_expected DIGEST: whether it is the one that was written down, and what to do when it is not.
is_expected() {
  local expected
  expected="$(cat "$EXPECTED")"
  [[ "$1" != "$expected" ]] || return 0
  cat <<TEXT
      $EXPECTED says $expected,
      the state's is $1.
      The same events fold to other figures than before. If a change of the fold means them to (a new fold version,
      see docs/formats.md, or an encoding of the digest), write the new digest into $EXPECTED with that change.
      If nothing was to change, this is a bug: find it before anything is released.
TEXT
  return 1
}

# The reports go to files, so that figures can be checked; what people see is printed by the tool itself.
import_all() {
  "$BIN/odometer" import azure-llm "${TRACES[@]}" --rejects "$WORK/rejected.jsonl" --json >"$WORK/traces-$1.json" &&
    "$BIN/odometer" emit --ndjson "$EVENTS" --json >"$WORK/events-$1.json"
}

sent() {
  local traces events
  traces="$(figure "sum(each['$2'] for each in report['files'])" <"$WORK/traces-$1.json")"
  events="$(figure "report['$2']" <"$WORK/events-$1.json")"
  echo $((traces + events))
}

main() {
  [[ -x "$BIN/odometerd" && -x "$BIN/odometer" ]] || {
    echo "demo: no odometerd and odometer in $BIN; ./dev build makes them" >&2
    exit 1
  }
  ((KAFKA == 0)) || start_kafka
  start_daemon
  echo "odometerd serves $ODOMETER_SERVER"

  local rows
  rows=$(($(python3 -c 'import csv, sys; print(sum(sum(1 for _ in csv.reader(open(p))) - 1 for p in sys.argv[1:]))' \
    "${TRACES[@]}") + $(wc -l <"$EVENTS")))
  echo
  echo "importing $rows events: two real traces of LLM services and an invented week of five people"
  import_all 1 || HELD=0
  echo "the traces have no users: rows are assigned round robin to 100 users, sessions of 20 rows"
  check "every one of $rows events was applied" test "$(sent 1 applied)" = "$rows"

  echo
  check "what the log holds is what the figures say" python3 examples/demo_summary.py "$ODOMETER_SERVER"

  echo
  local before after
  before="$(digest)"
  echo "importing the same again"
  import_all 2 || HELD=0
  check "all $rows were duplicates" test "$(sent 2 duplicates)" = "$rows"
  after="$(digest)"
  check "the state's digest is the same" test -n "$before" -a "$before" = "$after"
  check "and the one that $EXPECTED says" is_expected "$after"
  check "the audit folds the log again and finds no drift" "$BIN/odometer" audit --data-dir "$WORK/data"
  echo "digest: $after"

  if ((STOP_AT_END == 0)); then
    echo
    echo "still up, until Ctrl-C:"
    echo "  $ODOMETER_SERVER/v1/consumption/users?sort=total_tokens"
    echo "  $ODOMETER_SERVER/v1/consumption/summary?user=ana"
    echo "  $ODOMETER_SERVER/v1/projects/handbook/usage"
    echo "  $ODOMETER_SERVER/metrics"
    echo "  ODOMETER_SERVER=$ODOMETER_SERVER $BIN/odometer users --sort total_tokens --limit 10"
    trap : INT TERM
    wait "$DAEMON_PID" || true
    echo
  fi
  check "the daemon stopped cleanly" stop_daemon
  ((HELD == 1))
}

main
