#!/usr/bin/env python3
"""`odometer doctor` names what is wrong, and what to do next.

    python3 tests/integration/doctor_test.py --bin build/release/bin
"""

import contextlib
import http.server
import json
import signal
import subprocess
import threading
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
        self.assertEqual(self.examine(), {}, "one turn is all that this tenant has")
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
        self.assertRegex(other.stdout, "PROBLEM  tenant: tenant 'other' has no events\n +next: .*--tenant")

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

    def test_a_fold_that_lags_is_told_with_what_it_lacks_and_not_any_more_once_it_has_caught_up(self):
        self.turn()
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.faults = harness.Faults("write")
        self.daemon.start()
        self.daemon.await_ready(200, 20)
        harness.await_true("all is committed", lambda: self.daemon.metrics()["odometer_consumer_lag_records", "0"] == 0)
        backlog = [harness.turn(f"k{i}", user="ann") for i in range(999)]
        with self.daemon.faults.hold("write", "/data/state/"):
            self.assertEqual(self.daemon.post(backlog, query="").json["accepted"], len(backlog))
            self.assertNotIn("lag", self.examine())
            self.assertEqual(self.daemon.post([harness.turn("one more", user="ann")], query="").json["accepted"], 1)
            found = self.examine()
            self.assertRegex(found["lag"], "1,?000 records of this tenant's partition are not folded yet.*"
                                           "; wait while odometer_consumer_lag_records falls.*/readyz")
            text = harness.run_cli("--server", f"http://{self.daemon.host}", "doctor").stdout
            self.assertRegex(text, "(?m)^PROBLEM  lag: .*\n +next: wait while odometer_consumer_lag_records")
        harness.await_true("it has caught up", lambda: self.examine() == {})

    def test_what_cannot_be_read_is_told_and_not_taken_for_a_tenant_without_events(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), NothingButVersion)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        found = self.examine(server=f"http://127.0.0.1:{server.server_port}")
        self.assertEqual(list(found), ["ready", "tenant", "quarantine", "webhooks"])
        self.assertRegex(found["tenant"], "503: Not Now; its figures cannot be read: ")

    def test_a_figure_that_the_log_does_not_fold_to_is_drift_and_the_way_on_leads_to_figures_that_it_does(self):
        for _ in range(3):
            self.turn()
        data = self.folder / "data"
        look = ["--user", "ann", "--audit", "--data-dir", data]
        self.define("LimitOverridden", user="ann", limits=[{"meter": "requests", "window": "month", "cap": 10}])
        self.assertEqual(self.examine(*look), {})
        self.assertEqual(self.daemon.stop(), 0)
        subprocess.run([harness.BIN / "row_changer", data / "state/p00000", "default", "ann", "5"], check=True)
        self.daemon.start()
        self.assertEqual(self.daemon.summary("ann").json["requests"], 8)
        found = self.examine(*look)
        self.assertEqual(list(found), ["drift"])
        self.assertRegex(found["drift"], f"^1 figures are not what the log folds to; odometer audit --data-dir {data} ")
        code, report = harness.audit(data, self.folder / "audit")
        self.assertEqual(code, 1, report)
        difference, = report["differences"]
        self.assertEqual([difference[part] for part in ("place", "field", "stored", "folded")],
                         ["account[default,ann]", "requests", "8", "3"])
        # What it says to do: state/ is moved away, and the log folded anew.
        self.assertIn("moving DIR/state away folds the log anew", found["drift"])
        self.assertEqual(self.daemon.stop(), 0)
        (data / "state").rename(self.folder / "state that drifted")
        self.daemon.start()
        harness.await_true("it is folded anew", lambda: self.examine(*look) == {})
        self.assertEqual(self.daemon.summary("ann").json["requests"], 3)

    def test_what_was_set_aside_is_named_with_its_reason(self):
        self.turn()
        self.define("ProfileAssigned", user="ann", profile="Gold")
        harness.await_true("it is set aside", lambda: "unknown_profile" in self.examine().get("quarantine", ""), 20)


class NothingButVersion(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_version = self.path == "/version"
        body = json.dumps({"version": "0"} if is_version else {"title": "Not Now", "status": 503}).encode()
        self.send_response(200 if is_version else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    harness.main()
