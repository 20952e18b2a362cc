#!/usr/bin/env python3
"""A daemon whose disk fills, whose log or store cannot be written, whose fold hangs, or whose directory is not its own.

    python3 tests/integration/faults_test.py --bin build/release/bin

It mounts small disks, so it must be root's.
"""

import concurrent.futures
import contextlib
import errno
import pathlib
import shutil
import signal
import struct
import threading
import time
import unittest

import harness
from harness import turn

READY_WITHIN_S = 5  # /readyz says what does not work, and that it works again, within this time


class FaultTest(unittest.TestCase):
    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.folder = self.cleanup.enter_context(harness.Folder())

    def daemon(self, data_dir=None, *arguments, **options):
        daemon = harness.Daemon(data_dir or self.folder / "data", *(arguments or ("--log-partitions", "1")), **options)
        self.addCleanup(daemon.close)
        return daemon

    def tmpfs(self, megabytes):
        disk = harness.Tmpfs(self.folder / "disk", megabytes)
        self.cleanup.callback(disk.unmount)
        return disk

    def assert_taken(self, answer, applied, duplicate=0):
        self.assertEqual(answer.status, 202, answer)
        outcomes = answer.json["outcomes"]
        self.assertEqual((outcomes["applied"], outcomes["duplicate"]), (applied, duplicate), answer)

    def assert_no_drift(self, data_dir):
        code, report = harness.audit(data_dir, self.folder / "audit")
        self.assertEqual((code, report.get("drift")), (0, 0), report)
        return report

    def assert_not_ready(self, daemon, since, steps, words=""):
        """Answers what /readyz says in time, with these words: it names one of the steps, and where one partition
        alone has the fault, that one."""
        answer = daemon.await_ready(503, READY_WITHIN_S, since, words)
        self.assertIn(answer.json["failing_step"], steps, answer)
        self.assertIn(answer.json["partition"], (0, None), answer)
        self.assertTrue(answer.json["detail"], answer)
        return answer

    def refuses_to_start(self, data_dir, *arguments):
        """Answers exit code and text of a daemon that ends by itself."""
        second = harness.Daemon(data_dir, *arguments, start=False)
        self.addCleanup(second.close)
        second.launch()
        return second.wait(), second.text().strip()


class FullDisk(FaultTest):
    COUNT = 400

    def posts(self, round_):
        # Larger together than the room that a log has made for itself.
        return [turn(f"r{round_}-{i}", metadata={"padding": "x" * 3900}) for i in range(self.COUNT)]

    def assert_round(self, daemon, disk, round_):
        """Fills the disk, looks, frees it, looks. Each round's turns count once."""
        posted = self.posts(round_)
        before = daemon.metrics()
        full_at = disk.fill()
        answer = daemon.post(posted)
        # Before anybody asks for readiness, whose ticks are records too.
        self.assertEqual(daemon.metrics()["odometer_log_end_offset", "0"], before["odometer_log_end_offset", "0"])
        self.assertEqual((answer.status, answer.json["type"]), (503, "urn:odometer:problem:disk-full"), answer)
        self.assertIn("nothing was written", answer.json["detail"])
        self.assertIn("free some space", answer.json["detail"])
        self.assertIn("Retry-After", answer.headers)
        self.assert_not_ready(daemon, full_at, ("append", "commit"))
        self.assertEqual(daemon.summary("ana").json["turns"], 1 + self.COUNT * round_)
        self.assertEqual(daemon.get("/v1/admin/events?limit=1").status, 200)
        moved = daemon.metrics().moved_from(before, ["odometer_append_errors_total"])
        self.assertGreaterEqual(moved.get(("odometer_append_errors_total", "disk_full"), 0), 1, moved)
        freed_at = disk.free()
        daemon.await_ready(200, READY_WITHIN_S, freed_at)
        self.assert_taken(daemon.post(posted), applied=self.COUNT)
        self.assert_taken(daemon.post(posted), applied=0, duplicate=self.COUNT)
        summary = daemon.summary("ana").json
        turns = 1 + self.COUNT * (round_ + 1)
        self.assertEqual((summary["turns"], summary["total_tokens"]), (turns, 11 * turns))

    def test_a_full_disk_refuses_a_request_whole_and_takes_it_once_there_is_room(self):
        disk = self.tmpfs(72)
        data_dir = disk.path / "data"
        daemon = self.daemon(data_dir)
        self.assert_taken(daemon.post(turn("first")), applied=1)
        for round_ in range(3):
            self.assert_round(daemon, disk, round_)
        self.assertTrue(daemon.lines("append failed partition=0"), daemon.text())
        self.assert_no_drift(data_dir)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.daemon(data_dir)
        self.assert_no_drift(data_dir)

    def test_a_commit_that_meets_a_full_disk_is_tried_again_until_it_succeeds(self):
        faults = harness.Faults("write", "pwrite64")
        daemon = self.daemon(faults=faults)
        self.assert_taken(daemon.post(turn("a")), applied=1)
        for round_ in range(2):
            with faults.fail("write pwrite64", "/data/state/", errno.ENOSPC):
                begun = time.monotonic()
                answer = daemon.post(turn(f"r{round_}"), query="?wait=folded&wait_ms=100")
                self.assertEqual((answer.status, answer.json["outcomes"]["pending"]), (202, 1), answer)
                unready = self.assert_not_ready(daemon, begun, ["commit"])
                self.assertIn("No space left", "\n".join(daemon.lines("step=commit")), unready)
                self.assertEqual(daemon.metrics()["odometer_failing", "0"], 1)
                self.assertEqual(daemon.turns(), 1 + round_)
            daemon.await_ready(200, READY_WITHIN_S)
            self.assertEqual(daemon.metrics()["odometer_failing", "0"], 0)
            self.assertEqual(daemon.summary("ana", position=answer.json["position"]).json["turns"], 2 + round_)
        self.assertEqual(len(daemon.lines("step=commit works again")), 2, daemon.text())
        self.assertEqual(daemon.stop(), 0)
        self.assert_no_drift(self.folder / "data")

    def test_a_store_without_room_serves_its_last_commit_and_goes_on_by_itself(self):
        # Too small for what the store would set aside for its commits, which then need room one by one.
        disk = self.tmpfs(24)
        data_dir = disk.path / "data"
        daemon = self.daemon(data_dir)
        self.assert_taken(daemon.post([turn(f"before-{i}") for i in range(100)]), applied=100)
        accepted = []
        for round_ in range(3):
            full_at = disk.fill()
            # One at a time, until one is in the log and not in the store, or none gets in.
            for i in range(40):
                event = turn(f"r{round_}-{i}")
                answer = daemon.post(event, query="?wait=folded&wait_ms=200")
                self.assertIn(answer.status, (202, 503), answer)
                if answer.status == 503:
                    break
                accepted.append(event)
                if answer.json["outcomes"]["pending"]:
                    break
            self.assert_not_ready(daemon, full_at, ("append", "commit"))
            self.assertLessEqual(daemon.summary("ana").json["turns"], 100 + len(accepted))
            freed_at = disk.free()
            daemon.await_ready(200, READY_WITHIN_S, freed_at)
        self.assert_taken(daemon.post(accepted), applied=0, duplicate=len(accepted))
        self.assertEqual(daemon.summary("ana").json["turns"], 100 + len(accepted))
        self.assert_no_drift(data_dir)
        self.assertEqual(daemon.stop(), 0, daemon.text())


class UnwritableLog(FaultTest):
    CALLS = ("pwrite64", "ftruncate", "fsync", "fdatasync")

    def start(self):
        faults = harness.Faults(*self.CALLS)
        daemon = self.daemon(faults=faults)
        self.assert_taken(daemon.post([turn("a"), turn("b")]), applied=2)
        return daemon, faults

    def assert_reads_go_on(self, daemon, turns):
        self.assertEqual(daemon.summary("ana").json["turns"], turns)

    def test_a_log_that_takes_no_write_is_named_by_readyz_and_is_used_again_without_a_restart(self):
        daemon, faults = self.start()
        for round_ in range(2):
            with faults.fail("pwrite64", "/data/log/", errno.EROFS):
                begun = time.monotonic()
                answer = daemon.post(turn(f"c{round_}"))
                self.assertGreaterEqual(answer.status, 500, answer)
                self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
                self.assert_not_ready(daemon, begun, ["append"], "Read-only file system")
                self.assert_reads_go_on(daemon, 2 + round_)
            daemon.await_ready(200, READY_WITHIN_S)
            self.assert_taken(daemon.post([turn(f"c{round_}"), turn("a")]), applied=1, duplicate=1)
        self.assertTrue(daemon.lines("append failed partition=0"), daemon.text())
        self.assertEqual(daemon.stop(), 0)
        self.assert_no_drift(self.folder / "data")

    def test_an_idle_daemon_whose_log_takes_no_write_says_so_without_a_post(self):
        daemon, faults = self.start()
        daemon.await_ready(200, READY_WITHIN_S)
        with faults.fail("pwrite64", "/data/log/", errno.EIO):
            self.assert_not_ready(daemon, time.monotonic(), ["append"])
        daemon.await_ready(200, READY_WITHIN_S)

    def assert_must_be_reopened(self, calls, error):
        """What was in doubt is refused until a restart, and a restart settles it."""
        daemon, faults = self.start()
        with faults.fail(calls, "/data/log/", error):
            begun = time.monotonic()
            doubtful = daemon.post(turn("c"))
            self.assertEqual((doubtful.status, doubtful.json["type"]), (503, "urn:odometer:problem:outcome-unknown"),
                             doubtful)
            self.assertIn("send them again", doubtful.json["detail"])
            self.assert_not_ready(daemon, begun, ["append"])
        # The disk works again, but what is on it is not known until somebody looks.
        self.assertGreaterEqual(daemon.post(turn("d")).status, 500)
        self.assert_not_ready(daemon, time.monotonic(), ["append"], "must be reopened")
        self.assert_reads_go_on(daemon, 2)
        self.assertTrue(daemon.lines("must be reopened"), daemon.text())
        daemon.stop()
        again = self.daemon()
        again.await_ready(200, READY_WITHIN_S)
        self.assert_taken(again.post([turn("a"), turn("b")]), applied=0, duplicate=2)
        self.assertEqual(again.post([turn("c"), turn("d")]).json["outcomes"]["quarantined"], 0)
        self.assertEqual(again.summary("ana").json["turns"], 4)
        self.assert_no_drift(self.folder / "data")

    def test_a_failed_sync_closes_the_log_until_a_restart_which_loses_nothing(self):
        self.assert_must_be_reopened("fdatasync fsync", errno.EIO)

    def test_a_disk_that_turns_read_only_closes_the_log_until_a_restart_which_loses_nothing(self):
        self.assert_must_be_reopened("pwrite64 ftruncate fsync fdatasync", errno.EROFS)


class StuckFold(FaultTest):
    def assert_stuck(self, calls, part):
        """Holds what the fold needs; what is posted meanwhile is in the log and then in the figures."""
        faults = harness.Faults(*calls.split())
        daemon = self.daemon(faults=faults)
        self.assert_taken(daemon.post(turn("a")), applied=1)
        for round_ in range(2):
            daemon.await_ready(200, READY_WITHIN_S)
            with faults.hold(calls, part):
                begun = time.monotonic()
                posted = daemon.post([turn(f"r{round_}-{i}") for i in range(10)], query="?wait=folded&wait_ms=100")
                self.assertEqual((posted.status, posted.json["outcomes"]["pending"]), (202, 10), posted)
                self.assert_not_ready(daemon, begun, ["fold", "commit"], "records wait")
                self.assertEqual(daemon.get("/livez").status, 200)
                self.assertEqual(daemon.turns(), 1 + 10 * round_)
                self.assertGreaterEqual(daemon.metrics()["odometer_consumer_lag_records", "0"], 10)
            daemon.await_ready(200, READY_WITHIN_S)
            self.assertEqual(daemon.summary("ana", position=posted.json["position"]).json["turns"], 11 + 10 * round_)
        self.assertEqual(daemon.stop(), 0)
        self.assert_no_drift(self.folder / "data")

    def test_a_fold_that_hangs_reading_the_log_is_named_by_readyz_and_catches_up_when_it_goes_on(self):
        self.assert_stuck("pread64", "/data/log/")

    def test_a_commit_that_hangs_is_named_by_readyz_and_catches_up_when_it_goes_on(self):
        self.assert_stuck("write", "/data/state/")

    def test_an_idle_fold_that_hangs_is_named_by_readyz_without_a_post(self):
        faults = harness.Faults("pread64")
        daemon = self.daemon(faults=faults)
        self.assert_taken(daemon.post(turn("a")), applied=1)
        with faults.hold("pread64", "/data/log/"):
            self.assert_not_ready(daemon, time.monotonic(), ["fold"])
        daemon.await_ready(200, READY_WITHIN_S)

    def test_a_stuck_fold_does_not_keep_the_daemon_from_ending_once_it_goes_on(self):
        faults = harness.Faults("pread64")
        daemon = self.daemon(faults=faults)
        with faults.hold("pread64", "/data/log/"):
            self.assertEqual(daemon.post(turn("a"), query="").status, 202)
            daemon.process.send_signal(signal.SIGTERM)
            harness.await_true("it says that it stops", lambda: daemon.lines("stopping"))
        self.assertEqual(daemon.wait(), 0, daemon.text())
        self.assert_taken(self.daemon().post(turn("a")), applied=0, duplicate=1)


class WrongDirectory(FaultTest):
    def test_a_second_daemon_on_a_data_directory_ends_with_one_line_that_names_it_and_the_first_goes_on(self):
        first = self.daemon()
        self.assert_taken(first.post(turn("a")), applied=1)
        code, text = self.refuses_to_start(self.folder / "data")
        self.assertEqual(code, 3, text)
        self.assertEqual(len(text.splitlines()), 1, text)
        self.assertIn(str(self.folder / "data"), text)
        self.assertIn("another daemon", text)
        self.assert_taken(first.post([turn("a"), turn("b")]), applied=1, duplicate=1)
        self.assertEqual((self.folder / "data" / "http.address").read_text().strip(), first.host)
        self.assertEqual(first.stop(), 0)

    def test_an_address_that_cannot_be_written_ends_it_by_itself(self):
        (self.folder / "data" / "http.address.tmp").mkdir(parents=True)
        code, text = self.refuses_to_start(self.folder / "data", "--log-partitions", "1")
        self.assertEqual(code, 3, text)
        self.assertIn("http.address", text)

    def test_another_number_of_partitions_is_refused_with_both_numbers(self):
        self.assertEqual(self.daemon(None, "--log-partitions", "3").stop(), 0)
        code, text = self.refuses_to_start(self.folder / "data", "--log-partitions", "5")
        self.assertEqual((code, len(text.splitlines())), (5, 1), text)
        self.assertIn("3 partitions", text)
        self.assertIn("5", text)
        self.assertEqual(self.daemon(None, "--log-partitions", "0").get("/version").json["partitions"], 3)

    def test_a_log_of_another_genesis_is_refused_with_both_log_ids(self):
        ids = {}
        for name in ("one", "two"):
            daemon = self.daemon(self.folder / name)
            self.assert_taken(daemon.post(turn(name)), applied=1)
            ids[name] = daemon.get("/version").json["log_id"]
            self.assertEqual(daemon.stop(), 0)
        (self.folder / "one" / "log").rename(self.folder / "log of one")
        (self.folder / "two" / "log").rename(self.folder / "one" / "log")
        code, text = self.refuses_to_start(self.folder / "one")
        self.assertEqual((code, len(text.splitlines())), (5, 1), text)
        self.assertIn(ids["one"], text)
        self.assertIn(ids["two"], text)
        (self.folder / "one" / "log").rename(self.folder / "two" / "log")
        (self.folder / "log of one").rename(self.folder / "one" / "log")
        self.assert_taken(self.daemon(self.folder / "one").post(turn("one")), applied=0, duplicate=1)


def segment_of(data_dir):
    segments = sorted((pathlib.Path(data_dir) / "log" / "p00000").glob("*.seg"))
    return segments[-1]


def frames_of(path):
    """(position, size) of each frame; log/segment.h has the form."""
    data, position, frames = path.read_bytes(), 64, []
    while position < len(data):
        length, = struct.unpack_from("<I", data, position)
        size = 24 + (length & 0x1FFFFFFF) + 7 & ~7
        frames.append((position, size))
        position += size
    return frames


class DamagedLog(FaultTest):
    def setUp(self):
        super().setUp()
        self.data_dir = self.folder / "data"

    def fill(self, turns=50):
        """A log of Genesis and so many turns, one request each, that nobody has open."""
        daemon = self.daemon()
        for i in range(turns):
            self.assert_taken(daemon.post(turn(f"k{i}")), applied=1)
        self.assertEqual(daemon.stop(), 0)
        segment = segment_of(self.data_dir)
        frames = frames_of(segment)
        self.assertEqual(len(frames), 1 + turns)
        return segment, frames

    def test_a_store_ahead_of_its_log_is_folded_anew_and_the_line_says_which_offsets_are_gone(self):
        segment, frames = self.fill()
        with open(segment, "r+b") as file:
            file.truncate(frames[46][0])  # offsets 46 to 50 are gone
        daemon = self.daemon()
        line, = daemon.lines("those records are gone")
        self.assertIn("partition=0 offset=46 ", line)
        self.assertIn("up to 51", line)
        aside, = self.data_dir.glob("state/p00000.ahead-*")
        self.assertEqual(len(daemon.lines(f"is moved to {aside} and folded anew")), 1, daemon.text())
        harness.await_true("the log is folded", lambda: daemon.metrics()["odometer_cursor", "0"] == 46)
        self.assertEqual(daemon.summary("ana").json["turns"], 45)
        self.assert_no_drift(self.data_dir)
        self.assert_taken(daemon.post([turn(f"k{i}") for i in range(50)]), applied=5, duplicate=45)
        self.assert_no_drift(self.data_dir)

    def assert_names_the_place(self, text, segment, position, offset):
        self.assertIn(str(segment), text)
        self.assertIn(f"byte {position}", text)
        self.assertIn(f"offset {offset}", text)

    def test_a_flipped_byte_in_a_record_keeps_a_daemon_from_starting_and_the_line_names_file_and_byte(self):
        segment, frames = self.fill()
        flip(segment, frames[20][0] + 60)
        code, text = self.refuses_to_start(self.data_dir)
        self.assertEqual((code, len(text.splitlines())), (5, 1), text)
        self.assert_names_the_place(text, segment, frames[20][0], 20)
        flip(segment, frames[20][0] + 60)
        self.assert_taken(self.daemon().post(turn("k20")), applied=0, duplicate=1)

    def test_a_flipped_byte_under_a_running_daemon_fails_the_audit_which_names_file_and_byte(self):
        segment, frames = self.fill()
        daemon = self.daemon()
        flip(segment, frames[20][0] + 60)
        code, report = harness.audit(self.data_dir, self.folder / "audit")
        self.assertNotEqual(code, 0, report)
        self.assert_names_the_place(str(report), segment, frames[20][0], 20)
        self.assertEqual(daemon.turns(), 50)
        flip(segment, frames[20][0] + 60)
        self.assert_no_drift(self.data_dir)

    def test_a_store_that_another_tail_of_the_log_made_fails_the_audit_which_names_row_field_and_both_values(self):
        self.fill()
        backup, other = self.folder / "backup", self.folder / "other"
        self.assertEqual(harness.run_cli("backup", "--data-dir", self.data_dir, backup).returncode, 0)
        self.assertEqual(harness.run_cli("restore", backup, "--data-dir", other).returncode, 0)
        for data_dir, tokens in ((self.data_dir, 10), (other, 4010)):
            daemon = self.daemon(data_dir)
            self.assert_taken(daemon.post(turn("the last", tokens=tokens)), applied=1)
            self.assertEqual(daemon.stop(), 0)
        shutil.rmtree(self.data_dir / "log")
        shutil.move(other / "log", self.data_dir / "log")
        code, report = harness.audit(self.data_dir, self.folder / "audit")
        self.assertEqual(code, 1, report)
        difference, = [each for each in report["differences"]
                       if each["place"] == "account[default,ana]" and each["field"] == "input_uncached_tokens"]
        self.assertEqual(int(difference["folded"]) - int(difference["stored"]), 4000, report)

    def test_a_half_written_tail_is_cut_off_and_reported_and_nothing_acknowledged_is_lost(self):
        segment, frames = self.fill()
        end = sum(frames[-1])
        with open(segment, "ab") as file:
            file.write(struct.pack("<IIQq", 500, 0x12345678, 51, 1) + b"half of a payload" * 6)
        daemon = self.daemon()
        line, = daemon.lines("half-written tail")
        self.assertIn("partition=0 offset=51 ", line)
        self.assertIn(f"{24 + 17 * 6} bytes", line)
        self.assertEqual(segment.stat().st_size, end)
        self.assert_taken(daemon.post([turn(f"k{i}") for i in range(51)]), applied=1, duplicate=50)
        self.assert_no_drift(self.data_dir)

    def test_a_tail_of_whole_frame_length_that_is_garbage_is_cut_off_too(self):
        segment, frames = self.fill(5)
        garbage = bytearray(segment.read_bytes()[frames[3][0]:sum(frames[3])])
        garbage[8:16] = struct.pack("<Q", 6)  # a frame of the next offset, but for its checksum
        with open(segment, "ab") as file:
            file.write(garbage)
        daemon = self.daemon()
        self.assertEqual(len(daemon.lines("half-written tail")), 1, daemon.text())
        self.assert_taken(daemon.post([turn(f"k{i}") for i in range(5)]), applied=0, duplicate=5)


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0x10]))


class Backup(FaultTest):
    def test_a_backup_under_load_ends_with_a_whole_record_and_restores_without_drift(self):
        data_dir = self.folder / "data"
        daemon = self.daemon(data_dir)
        self.assert_taken(daemon.post(turn("first")), applied=1)
        is_over = threading.Event()

        def post():
            count = 0
            while not is_over.is_set():
                self.assert_taken(daemon.post(turn(f"k{count}")), applied=1)
                count += 1

        with concurrent.futures.ThreadPoolExecutor() as threads:
            posting = threads.submit(post)
            try:
                for i in range(3):
                    self.assert_restorable(data_dir, self.folder / f"backup{i}", self.folder / f"restored{i}")
            finally:
                is_over.set()
            posting.result()

    def assert_restorable(self, data_dir, backup, restored):
        done = harness.run_cli("backup", "--data-dir", data_dir, backup)
        self.assertEqual(done.returncode, 0, done.stderr)
        last = segment_of(backup)
        start, size = frames_of(last)[-1]
        self.assertEqual(start + size, last.stat().st_size)
        self.assertTrue(any(last.read_bytes()[start:start + 24]), "zeros are no record")
        done = harness.run_cli("restore", backup, "--data-dir", restored)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_no_drift(restored)
        shutil.rmtree(self.folder / "audit", ignore_errors=True)


class CleanStop(FaultTest):
    def test_a_stop_under_load_ends_with_0_and_everything_acknowledged_is_there(self):
        daemon = self.daemon(None, "--log-partitions", "2")
        sent = [[] for _ in range(4)]
        acknowledged = [[] for _ in range(4)]

        def send(worker):
            for i in range(100_000):
                batch = [turn(f"w{worker}-{i}-{j}", user=f"user{worker}") for j in range(5)]
                sent[worker].append(batch)
                try:
                    answer = daemon.post(batch, tenant=f"tenant{worker}", query="")
                except OSError:
                    return
                if answer.status == 503:
                    return
                self.assertEqual(answer.status, 202, answer)
                acknowledged[worker].append(batch)

        threads = [threading.Thread(target=send, args=[worker]) for worker in range(4)]
        for thread in threads:
            thread.start()
        harness.await_true("every sender was answered some times", lambda: min(map(len, acknowledged)) >= 20)
        self.assertEqual(daemon.stop(), 0, daemon.text())
        for thread in threads:
            thread.join()
        self.assertFalse((self.folder / "data" / "http.address").exists())
        self.assertTrue(daemon.lines("info stopped"), daemon.text())
        daemon.start()
        for worker in range(4):
            tenant = f"tenant{worker}"
            for batches, duplicate in ((acknowledged[worker], True), (sent[worker], None)):
                events = [event for batch in batches for event in batch]
                for begin in range(0, len(events), 1000):
                    outcomes = daemon.post(events[begin:begin + 1000], tenant=tenant).json["outcomes"]
                    self.assertEqual((outcomes["quarantined"], outcomes["pending"]), (0, 0))
                    if duplicate:
                        self.assertEqual(outcomes["applied"], 0, "an acknowledged turn was lost")
            self.assertEqual(daemon.summary(f"user{worker}", tenant).json["turns"], 5 * len(sent[worker]))
        self.assert_no_drift(self.folder / "data")
        self.assertEqual(daemon.stop(), 0)

    def test_an_address_is_there_only_while_it_serves(self):
        daemon = self.daemon()
        address = self.folder / "data" / "http.address"
        self.assertEqual(address.read_text().strip(), daemon.host)
        daemon.process.send_signal(signal.SIGINT)
        self.assertEqual(daemon.wait(), 0)
        self.assertFalse(address.exists())


if __name__ == "__main__":
    harness.main()
