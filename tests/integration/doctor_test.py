#!/usr/bin/env python3
"""`odometer doctor` names what is wrong, and what to do next.

    python3 tests/integration/doctor_test.py --bin build/release/bin
"""

import contextlib
import json
import signal
import time
import unittest

import harness


class Doctor(unittest.TestCase):
    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.folder = self.cleanup.enter_context(harness.Folder())
        self.daemon = harness.Daemon(self.folder / "data", "--log-partitions", "1")
        self.addCleanup(self.daemon.close)

    def examine(self, *arguments, server=None):
        """The problems by check; each has a next step."""
        done = harness.run_cli("--json", "--server", server or f"http://{self.daemon.host}", "doctor", *arguments)
        answer = json.loads(done.stdout)
        problems = {each["check"]: each["what"] + "; " + each["next"] for each in answer["findings"] if each["problem"]}
        self.assertEqual(answer["healthy"], not problems)
        self.assertEqual(done.returncode, 1 if problems else 0, done)
        return problems

    def post(self, **event):
        answer = self.daemon.post(event)
        self.assertEqual(answer.json["accepted"], 1, answer)

    def turn(self, user="ann", days_ago=0):
        self.post(type="TurnRecorded", user=user, session="s", provider="p", model_requested="m", status="success",
                  tokens={"output": 10}, event_time=int((time.time() - days_ago * 86400) * 1e6))

    def define(self, type_, **fields):
        self.post(type=type_, who="root", why="test", **fields)

    def test_of_a_healthy_daemon_nothing_is_found(self):
        self.turn()
        self.define("LimitOverridden", user="ann", limits=[{"meter": "requests", "window": "month", "cap": 10}])
        self.assertEqual(self.examine("--user", "ann", "--audit", "--data-dir", self.folder / "data"), {})
        text = harness.run_cli("--server", f"http://{self.daemon.host}", "doctor").stdout
        self.assertIn("ok       lag", text)

    def test_who_holds_a_directory_is_named_when_nobody_answers(self):
        nobody = "http://127.0.0.1:9"
        self.assertIn("start it", self.examine(server=nobody)["daemon"])
        held = self.examine("--data-dir", self.folder / "data", server=nobody)
        self.assertIn(f"--server http://{self.daemon.host}", held["lock"])
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.wait()
        killed = self.examine("--data-dir", self.folder / "data", server=nobody)
        self.assertIn("was killed", killed["daemon"])

    def test_zeros_after_an_import_are_of_earlier_months_or_of_another_tenant(self):
        self.turn(days_ago=70)
        self.assertIn("earlier months", self.examine("--user", "ann")["user"])
        self.assertIn("never seen", self.examine("--user", "Ann")["user"])
        other = harness.run_cli("--server", f"http://{self.daemon.host}", "--tenant", "other", "doctor")
        self.assertIn("--tenant", other.stdout)

    def test_a_limit_that_does_not_bite_is_explained(self):
        self.turn()
        self.assertIn("no limit applies", self.examine("--user", "ann")["limits"])
        limit = {"meter": "requests", "window": "lifetime", "cap": 1}
        self.define("LimitOverridden", user="ann", limits=[{**limit, "mode": "soft"}])
        self.assertIn("soft", self.examine("--user", "ann")["limits"])
        self.define("LimitOverridden", user="ann", limits=[limit])
        self.assertIn("see that the host asks", self.examine("--user", "ann")["limits"])
        self.define("LimitOverridden", user="ann", limits=[{**limit, "cap": 5}])
        self.define("EnforcementSet", enforcement="observe")
        self.assertIn("enforcement is observe", self.examine("--user", "ann")["limits"])

    def test_what_was_set_aside_is_named_with_its_reason(self):
        self.turn()
        self.define("ProfileAssigned", user="ann", profile="Gold")
        harness.await_true("it is set aside", lambda: "unknown_profile" in self.examine().get("quarantine", ""), 20)


if __name__ == "__main__":
    harness.main()
