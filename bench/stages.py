#!/usr/bin/env python3
"""Where the fold's CPU goes: the samples of a run of `line`, by stage, in microseconds an event.

    perf record -e cpu-clock -F 499 -g -o line.perf build/release/bin/bench_line --runs 1
    perf script -i line.perf -F comm,tid,ip,sym | python3 bench/stages.py --events 12000000 [--hz 499] [--json]

A sample of a thread that runs consumers/runner.h belongs to the innermost stage on its stack; of another, to the kind
of thread. What came before the first sample of a runner is not counted: making the events, and reading them raw, which
librdkafka's threads serve as well. So it is one run that is looked at.
"""
import argparse
import collections
import json
import re
import sys

# The first that matches a frame wins; frames are looked at from the innermost one on.
STAGES = [
    ("copy into segments", r"odometer::(SegmentWriter|SegmentDirectory|LocalPartition|ArchivedPartition)::|Crc32c"),
    ("poll", r"odometer::KafkaReader::|rd_kafka_consume"),
    ("hash", r"odometer::(Hash128Of|ChainLink|Hash128)"),
    ("look ahead", r"odometer::(Ahead::|TenantSlots)"),
    ("verify and decode", r"odometer::Decode$|odometer::Decode\("),
    ("dedupe", r"odometer::Dedupe::"),
    ("postings", r"Posting"),
    ("commit file", r"odometer::Store::Commit|odometer::Projection::WriteCommit|rocksdb::DBImpl::Write"),
    ("rows into a commit", r"odometer::Projection::BeginCommit|odometer::Projection::FinishCommit"),
    ("fold of rows", r"odometer::(AccountFold|VectorFold|LimitFold|Projection)::"),
    ("the runner itself", r"odometer::Runner::"),
]
OF_THREADS = [
    ("librdkafka: fetch, decompress, checksum", re.compile(r"^rdk:")),
    ("RocksDB behind: flushes, merges", re.compile(r"^rocksdb:")),
]


def stage_of(comm, frames):
    for name, pattern in OF_THREADS:
        if pattern.search(comm):
            return name
    if not any("odometer::Runner::" in frame or "WriteCommit" in frame for frame in frames):
        return None
    for frame in frames:
        for name, pattern in COMPILED:
            if pattern.search(frame):
                return name
    return None


COMPILED = [(name, re.compile(pattern)) for name, pattern in STAGES]


def samples(lines):
    """(thread's name, frames from the innermost on) of each."""
    comm, frames = None, []
    for line in lines:
        if not line.strip():
            if comm is not None:
                yield comm, frames
            comm, frames = None, []
        elif line[0].isspace() and comm is not None:
            frames.append(line.strip().partition(" ")[2])
        else:
            comm = re.sub(r"\s+\d+\s*$", "", line.strip())
    if comm is not None:
        yield comm, frames


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, required=True, help="how many events were folded")
    parser.add_argument("--hz", type=int, default=499, help="as perf record's -F")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    counts, has_begun = collections.Counter(), False
    for comm, frames in samples(sys.stdin):
        stage = stage_of(comm, frames)
        has_begun = has_begun or stage in dict(STAGES)
        if has_begun and stage is not None:
            counts[stage] += 1
    if not counts:
        sys.exit("stages.py: no sample of a runner; was it perf script's output with -F comm,tid,ip,sym?")
    us = {name: count / arguments.hz / arguments.events * 1e6 for name, count in counts.most_common()}
    if arguments.json:
        print(json.dumps({name: round(value, 4) for name, value in us.items()}))
        return
    for name, value in us.items():
        print(f"{value:7.3f}  {name}")
    runners = sum(us.get(name, 0) for name, _ in STAGES)
    print(f"{runners:7.3f}  of the runners' threads in all")


if __name__ == "__main__":
    main()
