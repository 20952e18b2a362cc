#!/usr/bin/env bash
# Builds the peer into build/streams: classes/ and lib/.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
ROOT="$(cd "$HERE/../.." && pwd)"
OUT="$ROOT/build/streams"
if [[ -e "$OUT/.complete" && ! "$HERE/src/main/java/odometer/bench/StreamsPeer.java" -nt "$OUT/.complete" &&
  ! "$ROOT/schemas/event.fbs" -nt "$OUT/.complete" ]]; then exit 0; fi
command -v mvn >/dev/null && command -v flatc >/dev/null || { echo "mvn or flatc is missing: run ./dev setup" >&2; exit 1; }
mkdir -p "$OUT/generated"
flatc --java -o "$OUT/generated" "$ROOT/schemas/event.fbs"
mvn -B -q -Dstyle.color=never -f "$HERE/pom.xml" "-Dgenerated=$OUT/generated" "-DbuildDirectory=$OUT" \
  compile dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$OUT/lib" >&2
rm -rf "$OUT/classes"
mv "$HERE/target/classes" "$OUT/classes"
rm -rf "$HERE/target"
touch "$OUT/.complete"
