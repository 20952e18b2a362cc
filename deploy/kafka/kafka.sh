#!/usr/bin/env bash
# A real Apache Kafka on loopback: one node, or three that replicate each other. Called by ./dev kafka and by tests.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$HERE/../.." && pwd)"
readonly HERE ROOT

LIB="${ODOMETER_KAFKA_LIB:-$ROOT/build/kafka/lib}"
DIR="$ROOT/build/kafka/run"
PORT=29092
NODES=1
HEAP_MIB=512
FAST=0
READY_S=90

usage() {
  cat <<'TEXT'
usage: kafka.sh VERB [options]

  jars          bring the broker's jars from Maven Central (needs mvn and a JDK 17)
  start         format on first use, start, wait until it serves; prints the bootstrap address
  stop          stop every node, cleanly, and wait until each is gone
  status        which node runs, with its process id; exit code 1 when one does not
  kill NODE     kill -9 of one node            pause NODE    SIGSTOP of one node
  restart NODE  start one node again           resume NODE   SIGCONT of one node
  leader TOPIC PARTITION   the node that leads a partition
  tool CLASS OPTIONS…      one of Kafka's own tools, on these brokers
  clean         stop, then remove the data

  --dir DIR     where configuration, data and logs live (build/kafka/run)
  --port PORT   of node 1; controllers and further nodes take the ports after it (29092)
  --nodes N     1 or 3 (1)
  --heap MIB    of each node (512)
  --fast        starts sooner and runs slower: for tests, not for figures
TEXT
}

die() {
  printf 'kafka.sh: %s\n' "$*" >&2
  exit 1
}

jars() {
  if [[ -n "$(compgen -G "$LIB/kafka_2.13-*.jar" || true)" && -e "$LIB/.complete" ]]; then return 0; fi
  command -v mvn >/dev/null || die "mvn is missing: run ./dev setup"
  echo "bringing Apache Kafka from Maven Central" >&2
  mkdir -p "$LIB"
  mvn -B -q -Dstyle.color=never -f "$HERE/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    "-DoutputDirectory=$LIB" >&2 || die "mvn could not bring the jars; is there a network?"
  touch "$LIB/.complete"
}

node_dir() { echo "$DIR/node$1"; }
node_port() { echo $((PORT + ($1 - 1) * 2)); }
bootstrap() {
  local node list=""
  for ((node = 1; node <= NODES; node++)); do list+="${list:+,}127.0.0.1:$(node_port "$node")"; done
  echo "$list"
}

# The process of a node, if it is that node's still and not another one that took its number.
node_pid() {
  local pid
  pid="$(cat "$(node_dir "$1")/pid" 2>/dev/null)" || return 1
  [[ -r "/proc/$pid/cmdline" ]] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$(node_dir "$1")/server.properties" ||
    return 1
  echo "$pid"
}

java_flags() {
  if ((FAST)); then
    echo "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xms${HEAP_MIB}m -Xmx${HEAP_MIB}m"
  else
    echo "-Xms${HEAP_MIB}m -Xmx${HEAP_MIB}m -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35"
  fi
}

format_node() {
  local node="$1" cluster="$2" dir voters="" other
  dir="$(node_dir "$node")"
  mkdir -p "$dir"
  for ((other = 1; other <= NODES; other++)); do
    voters+="${voters:+,}$other@127.0.0.1:$(($(node_port "$other") + 1))"
  done
  sed -e "s|@NODE@|$node|; s|@VOTERS@|$voters|; s|@DIR@|$dir|" \
    -e "s|@PORT@|$(node_port "$node")|; s|@CONTROLLER_PORT@|$(($(node_port "$node") + 1))|" \
    -e "s|@REPLICAS@|$NODES|; s|@IN_SYNC@|$((NODES / 2 + 1))|" "$HERE/server.properties.in" >"$dir/server.properties"
  [[ -e "$dir/data/meta.properties" ]] && return 0
  java -XX:TieredStopAtLevel=1 -Xmx128m -Dlog4j2.configurationFile="$HERE/log4j2.properties" -cp "$LIB/*" \
    kafka.tools.StorageTool format -t "$cluster" -c "$dir/server.properties" >"$dir/format.log" 2>&1 ||
    die "node $node could not be formatted: see $dir/format.log: $(tail -n 1 "$dir/format.log")"
}

launch_node() {
  local node="$1" dir
  dir="$(node_dir "$node")"
  : >"$dir/broker.log"
  # shellcheck disable=SC2046  # flags are words
  setsid nohup java $(java_flags) -Djava.awt.headless=true -Dlog4j2.configurationFile="$HERE/log4j2.properties" \
    -cp "$LIB/*" kafka.Kafka "$dir/server.properties" >>"$dir/broker.log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
}

# By its number alone: what this shell has just begun is nobody else's, and its command line names the node only once it
# has become java.
await_node() {
  local node="$1" dir pid waited=0
  dir="$(node_dir "$node")"
  pid="$(cat "$dir/pid")"
  until grep -q 'Kafka Server started' "$dir/broker.log"; do
    kill -0 "$pid" 2>/dev/null || die "node $node ended at its start: see $dir/broker.log: $(tail -n 1 "$dir/broker.log")"
    ((waited++ < READY_S * 10)) || die "node $node is not ready after $READY_S s: see $dir/broker.log"
    sleep 0.1
  done
}

# Without "-": an id that began with it would be an option to the tool that formats.
fresh_cluster_id() { head -c16 /dev/urandom | base64 | tr '+/' 'A_' | tr -d '=\n'; }

start() {
  jars
  command -v java >/dev/null || die "java is missing: run ./dev setup"
  local node cluster
  mkdir -p "$DIR"
  [[ -s "$DIR/cluster.id" ]] || fresh_cluster_id >"$DIR/cluster.id"
  cluster="$(cat "$DIR/cluster.id")"
  for ((node = 1; node <= NODES; node++)); do
    node_pid "$node" >/dev/null || format_node "$node" "$cluster"
  done
  for ((node = 1; node <= NODES; node++)); do
    node_pid "$node" >/dev/null || launch_node "$node"
  done
  for ((node = 1; node <= NODES; node++)); do await_node "$node"; done
  bootstrap
}

gone() {
  local pid="$1" seconds="$2" waited=0
  while kill -0 "$pid" 2>/dev/null; do
    ((waited++ < seconds * 10)) || return 1
    sleep 0.1
  done
}

# Every node under DIR, however many there are: with three, a quorum is gone before the last is, and that one may wait
# for it for ever.
stop() {
  local dir pid pids=()
  for dir in "$DIR"/node*; do
    pid="$(node_pid "${dir##*node}")" || continue
    kill -CONT "$pid"
    kill -TERM "$pid"
    pids+=("$pid")
  done
  for pid in "${pids[@]}"; do
    gone "$pid" 20 || kill -KILL "$pid" 2>/dev/null || true
    gone "$pid" 10 || die "process $pid does not end"
  done
  rm -f "$DIR"/node*/pid
}

status() {
  local node pid result=0
  for ((node = 1; node <= NODES; node++)); do
    if pid="$(node_pid "$node")"; then
      echo "node $node: process $pid on 127.0.0.1:$(node_port "$node")"
    else
      echo "node $node: not running"
      result=1
    fi
  done
  return "$result"
}

signal_node() {
  local pid
  pid="$(node_pid "$2")" || die "node $2 does not run"
  kill "-$1" "$pid"
  [[ "$1" != KILL ]] || gone "$pid" 10 || die "process $pid does not end"
}

tool() {
  local class="$1"
  shift
  java -XX:TieredStopAtLevel=1 -Xmx128m -Dlog4j2.configurationFile="$HERE/log4j2.properties" -cp "$LIB/*" "$class" \
    --bootstrap-server "$(bootstrap)" "$@"
}

leader() {
  tool org.apache.kafka.tools.TopicCommand --describe --topic "$1" |
    sed -nE "s/.*Partition: $2\s+Leader: ([0-9]+).*/\1/p"
}

main() {
  local words=()
  while (($#)); do
    case "$1" in
      --dir) DIR="$(mkdir -p "$2" && cd "$2" && pwd)" && shift ;;
      --port) PORT="$2" && shift ;;
      --nodes) NODES="$2" && shift ;;
      --heap) HEAP_MIB="$2" && shift ;;
      --fast) FAST=1 ;;
      --help) words=(help) ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  local verb="${words[0]:-help}"
  words=("${words[@]:1}")
  [[ "$verb" == tool || "${words[*]}" != *--* ]] || die "unknown option in: ${words[*]}"
  case "$verb" in
    jars | start | stop | status) "$verb" ;;
    kill) signal_node KILL "${words[0]:?which node?}" ;;
    pause) signal_node STOP "${words[0]:?which node?}" ;;
    resume) signal_node CONT "${words[0]:?which node?}" ;;
    restart) launch_node "${words[0]:?which node?}" && await_node "${words[0]}" ;;
    leader) leader "${words[0]:?which topic?}" "${words[1]:-0}" ;;
    tool) tool "${words[@]}" ;;
    clean) stop && rm -rf "$DIR" ;;
    help) usage ;;
    *) die "no such verb: $verb (kafka.sh --help)" ;;
  esac
}

main "$@"
