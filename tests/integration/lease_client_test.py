#!/usr/bin/env python3
"""Hosts that spend leases of one cap in their own processes, while the daemon is stopped and killed.

    python3 tests/integration/lease_client_test.py --bin build/release/bin
"""

import contextlib
import json
import os
import signal
import subprocess
import time
import unittest

import harness

HOSTS = 4
THREADS = 16
DEADLINE_MS = 50
# Of a machine with more threads than cores, which others use too; a client that waits for the daemon waits for ever.
SLACK_MS = 1500


class FixedDaemon(harness.Daemon):
    """One that has the same address after a restart: hosts know no other."""

    def launch(self):
        self.log_begin = self.log.seek(0, os.SEEK_END)
        command = [harness.BIN / "odometerd", "--data-dir", self.data_dir, "--listen", self.host or "127.0.0.1:0",
                   *self.arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)


class Host:
    """A process with threads that spend."""

    def __init__(self, daemon, *arguments):
        command = [harness.BIN / "lease_spender", "--server", "http://" + daemon.host, "--threads", str(THREADS),
                   "--deadline-ms", str(DEADLINE_MS), "--request-deadline-ms", "300", *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.slowest_ms = 0  # answer of a Spend()

    def says(self):
        """What it has done so far."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        words = json.loads(self.process.stdout.readline())
        self.slowest_ms = max(self.slowest_ms, words["slowest_ms"])
        return words

    def end(self):
        """Lets it close, and gives its exit code and last words."""
        self.process.stdin.close()
        words = json.loads(self.process.stdout.readline())
        return self.process.wait(timeout=harness.PATIENCE_S), words

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class LeaseClients(unittest.TestCase):
    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.folder = self.cleanup.enter_context(harness.Folder())
        self.daemon = FixedDaemon(self.folder / "data", "--log-partitions", "1")
        self.addCleanup(self.daemon.close)
        self.hosts = []

    def cap(self, cap):
        answer = self.daemon.post({"type": "LimitOverridden", "who": "root", "why": "test", "user": "ann",
                                   "limits": [{"meter": "requests", "window": "lifetime", "cap": cap}]})
        self.assertEqual(answer.json["outcomes"]["applied"], 1, answer)

    def start_hosts(self, count, *arguments):
        for _ in range(count):
            self.hosts.append(Host(self.daemon, *arguments))
            self.addCleanup(self.hosts[-1].kill)

    def end_hosts(self):
        ended = [host.end() for host in self.hosts]
        for code, words in ended:
            self.assertEqual((code, words["closed_as"]), (0, "ok"), words)
            self.assertEqual(words["spent"], words["spent_locally"], words)
        return [words for _, words in ended]

    def total(self, name, words=None):
        return sum(each[name] for each in words or [host.says() for host in self.hosts])

    def grows(self, name, what):
        begin = self.total(name)
        harness.await_true(what, lambda: self.total(name) > begin + 50, 60, 0.1)

    def status(self):
        return {key: int(value) for key, value in self.daemon.get("/v1/limits?user=ann").json["limits"][0].items()
                if key in ("used", "held", "cap")}

    def assert_all_is_accounted_for(self, words):
        """All is settled: what is used is what was spent, and what was settled too late to be given back."""
        harness.await_true("nothing is held", lambda: self.status()["held"] == 0, 30)
        self.assertEqual(self.daemon.get("/v1/limits/holds").json["holds"], [])
        self.assertEqual(self.total("settle_given_up", words), 0, words)
        self.assertEqual(self.status()["used"], self.total("spent", words) + self.total("burned_amount", words), words)
        self.assertEqual(self.daemon.stop(), 0)
        code, report = harness.audit(self.folder / "data", self.folder / "audit")
        self.assertEqual((code, report.get("drift")), (0, 0), report)

    def test_a_cap_holds_across_hosts_while_the_daemon_is_stopped_and_killed(self):
        cap = 60_000
        self.cap(cap)
        self.start_hosts(HOSTS, "--slice", 200, "--ttl-ms", 60_000)
        self.grows("leased", "the hosts spend")

        for host in self.hosts:
            host.says()
            host.slowest_ms = 0
        self.daemon.process.send_signal(signal.SIGSTOP)
        self.grows("unavailable_denied", "they are denied while it is stopped")
        time.sleep(1)
        self.assertGreater(self.total("deadlines_missed"), 0)
        slowest = [host.slowest_ms for host in self.hosts]
        self.daemon.process.send_signal(signal.SIGCONT)
        self.assertLess(max(slowest), DEADLINE_MS + SLACK_MS)
        self.grows("leased", "they spend again by themselves")

        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.wait()
        self.grows("unavailable_denied", "they are denied while it is gone")
        self.daemon.start()
        self.grows("leased", "they spend again after its restart")

        # To the last one: nobody is refused for long while something is left.
        harness.await_true("the cap is used up", lambda: self.total("spent") + self.total("burned_amount") >= cap, 120, 0.2)
        harness.await_true("each is refused", lambda: all(host.says()["refused"] > 100 for host in self.hosts), 120, 0.2)
        status = self.status()
        self.assertLessEqual(status["used"] + status["held"], cap)
        words = self.end_hosts()
        self.assertLessEqual(self.total("spent", words), cap)
        self.assertEqual(self.total("spent", words) + self.total("burned_amount", words), cap)
        print(f"spent {self.total('spent', words)}, leases {self.total('granted', words)}, "
              f"slowest answer while it was stopped {max(slowest)} ms", flush=True)
        self.assert_all_is_accounted_for(words)

    def test_what_is_settled_after_its_expiry_stays_charged(self):
        self.cap(1_000_000)
        self.start_hosts(2, "--slice", 5_000, "--ttl-ms", 1_000, "--mode", "last_known", "--pause-us", 20_000)
        self.grows("leased", "the hosts spend")
        self.daemon.process.send_signal(signal.SIGSTOP)
        self.grows("last_known_allowed", "they go by what they knew")
        time.sleep(1)
        self.daemon.process.send_signal(signal.SIGCONT)
        harness.await_true("reports come late", lambda: self.total("settled_late") > 0, 60, 0.1)
        words = self.end_hosts()
        self.assertGreater(self.total("burned_amount", words), 0)
        self.assert_all_is_accounted_for(words)


if __name__ == "__main__":
    harness.main()
