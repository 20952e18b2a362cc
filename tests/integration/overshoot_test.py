#!/usr/bin/env python3
"""No overshoot: 4 client processes of 16 threads each hammer one cap, and others beside it, while the daemon is killed.

    python3 tests/integration/overshoot_test.py --bin build/release/bin
    python3 tests/integration/with_kafka.py -- python3 tests/integration/overshoot_test.py --bin build/release/bin
"""

import json
import os
import random
import signal
import subprocess
import time
import urllib.parse

import harness
from limit_case import KAFKA, LimitTest
from overshoot_clients import SCOPES, Clients
from overshoot_model import Ledger

IS_FULL = bool(os.environ.get("ODOMETER_FULL"))
EXPLAINED = 1000 if IS_FULL else 100
KILLS = 50 if IS_FULL else 5
PROCESSES, THREADS = 4, 16
# What must have been done to the one cap, each at least once: else its sums say nothing.
DONE = ("admit", "hold", "lease", "refused", "hold expired", "lease expired", "hold settled", "lease settled",
        "hold released", "lease released", "hold settled by a fact", "admit spent", "fact of a lease", "reports",
        "hold settled late", "closed already", "overrun by settling", "overrun by facts",
        "overrun by facts of an admit")


class NoOvershoot(LimitTest):
    def set_caps(self, kills):
        """Each is doubled from the first kill to the last, so that there is something to be had after each."""
        for scope in SCOPES:
            fields = scope.defined(scope.cap + scope.cap * kills // KILLS)
            self.define(fields.pop("type"), scope.tenant, **fields)

    def standing(self, scope):
        """The limit that the scope shares, as it is resolved."""
        limit, = self.daemon.get(f"/v1/limits?{scope.query}", scope.tenant).json["limits"]
        self.assertEqual((limit["meter"], limit["window"]), (scope.meter, scope.window))
        return int(limit["used"]), int(limit["held"])

    # --- the steps

    def kill_often(self, clients):
        for n in range(KILLS):
            time.sleep(0.5)
            self.daemon.process.send_signal(signal.SIGKILL)
            self.daemon.wait()
            self.daemon.start()
            self.set_caps(n + 1)

        def is_each_cap_reached():
            self.assertIsNone(self.daemon.process.poll(), "odometerd has ended")
            return min(clients.refused()) > PROCESSES * THREADS and sum(clients.refused()) > 2 * EXPLAINED
        harness.await_true("each cap is reached", is_each_cap_reached, pause_s=0.2)

    def explain(self, refusals, count):
        """Random ones, each as it was answered then, whatever has been asked since: half of them by the ask's id, and
        half by position, as one who knows nothing of the ask."""
        said = ("allowed", "refused_by", "judged_at", "retry_after_s", "limits")
        self.assertGreaterEqual(len(refusals), count)
        for n, (tenant, verdict) in enumerate(random.sample(refusals, count)):
            query = {"ask": verdict["id"]}
            if n % 2 == 1:
                partition, _, after = verdict["position"][1:].partition(".")
                amounts = ",".join(f"{meter}={amount}" for meter, amount in verdict["amounts"].items())
                whose = {name: verdict[name] for name in ("user", "project", "collection") if verdict[name]}
                query = {"at_position": f"p{partition}.{int(after) - 1}", "at": verdict["judged_at"],
                         "amounts": amounts, **whose}
            answer = self.daemon.get("/v1/limits/explain?" + urllib.parse.urlencode(query), tenant)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual({name: answer.json[name] for name in said}, {name: verdict[name] for name in said}, query)

    @staticmethod
    def refusals(clients):
        """(tenant, verdict) of those that were answered at once: a retry is told another position."""
        return [(line["tenant"], line["answer"]) for line in clients.answers()
                if line["answer"].get("allowed") is False and not line["answer"]["duplicate"]]

    def await_nothing_held(self):
        """Nobody releases anything: all that is open expires, and a silent log says so by itself."""
        for scope in SCOPES:
            harness.await_true("the last hold expires",
                               lambda: not self.daemon.get("/v1/limits/holds?limit=1", scope.tenant).json["holds"])
            self.assertEqual(self.standing(scope)[1], 0, scope.name)

    def reckon(self, clients):
        """Every record again, by a model of its own."""
        told, ends = {}, {}
        for line in clients.answers():
            is_ask = "allowed" in line["answer"]
            (told if is_ask else ends)[line["tenant"], line["id"]] = line["answer"] if is_ask else line
        ledger = Ledger(told)
        for line in self.run_verb("events", "tail", "--position", "p0.0", "--json").splitlines():
            ledger.fold(json.loads(line))
        self.assertEqual(ledger.wrong[:5], [])
        self.assertEqual(ledger.judged, len(told))
        self.compare_ends(ends, ledger)
        return ledger

    def compare_ends(self, ends, ledger):
        """Who settled or released was told what came of it."""
        self.assertEqual(set(ends), set(ledger.ends))
        for key, line in ends.items():
            answer, came = line["answer"], ledger.ends[key]
            if came == "applied":
                outcomes = answer["outcomes"]
                self.assertEqual((line["status"], outcomes["applied"] + outcomes["duplicate"]), (202, 1), line)
            elif came == "closed":
                self.assertEqual(line["status"], 409, line)
            else:
                self.assertEqual((line["status"], answer.get("state")), (200, came), line)

    def assert_was_hard(self, ledger):
        """There was something to be seen: each cap was reached, and the one cap in every way."""
        for scope in SCOPES:
            with self.subTest(scope.name):
                cap = ledger.caps[scope.tenant]
                print(f"{scope.tenant}: cap {cap.cap}, used {cap.used}, overrun {cap.overrun},", dict(cap.counts),
                      flush=True)
                self.assertEqual((cap.used, cap.held), self.standing(scope))
                smallest = 1 if "admit" in scope.verbs else scope.amounts[0]
                self.assertLess(cap.left_least, smallest, "all that fits was taken")
                for what in DONE if scope is SCOPES[0] else ("hold", "refused", "hold expired"):
                    self.assertGreater(cap.counts[what], 0, what)

    def try_out_what_was_live(self, ledger):
        for scope in SCOPES:
            report = json.loads(self.run_verb("--tenant", scope.tenant, "backtest", "--data-dir",
                                              str(self.folder / "data"), "--json"))
            self.assertEqual((report["newly_refused"], report["newly_allowed"]), (0, 0))
            self.assertEqual(report["refused"], report["refused_live"])
            self.assertEqual(report["refused"], ledger.caps[scope.tenant].counts["refused"])

    def compare_with_the_model(self):
        """Every row and verdict again, by the model that unit tests have, which knows the whole of docs/limits.md."""
        command = [harness.BIN / "kill_test", "--compare-only", "--data-dir", self.folder / "data"]
        if KAFKA:
            command += self.daemon.arguments
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done)
        print(done.stdout.strip(), flush=True)

    # --- the test

    def test_what_is_granted_never_passes_the_cap_at_any_position(self):
        self.set_caps(0)
        with Clients(self.daemon.data_dir, self.folder, PROCESSES, THREADS) as clients:
            self.kill_often(clients)
            self.explain(self.refusals(clients), EXPLAINED // 4)  # while they ask
        self.assertFalse(clients.has_failed)
        self.await_nothing_held()
        ledger = self.reckon(clients)
        self.assert_was_hard(ledger)
        self.explain(self.refusals(clients), EXPLAINED - EXPLAINED // 4)
        self.assertEqual(self.daemon.stop(), 0)
        self.try_out_what_was_live(ledger)
        self.compare_with_the_model()
        self.assert_no_drift()


class AfterACount(LimitTest):
    def test_after_a_count_the_next_ask_is_judged_on_what_was_counted(self):
        vectors = {"user": "cat", "project": "docs", "collection": "c"}
        self.define("QuotaSet", level="collection", project="docs", collection="c",
                    limits=[{"meter": "vectors", "window": "gauge", "cap": 1000}])
        self.assertTrue(self.ask("reserve", **vectors, amounts={"vectors": 900}).json["allowed"])
        self.assertTrue(self.ask("check", **vectors, amounts={"vectors": 100}).json["allowed"])
        counted = {"type": "VectorsCounted", **vectors, "status": "success", "counted_vectors": 200, "counted_bytes": 1,
                   "event_time": int(time.time() * 1e6)}
        answer = self.daemon.post(counted)
        self.assertEqual(answer.json["outcomes"]["applied"], 1, answer)
        self.assertFalse(self.ask("reserve", **vectors, amounts={"vectors": 1}).json["allowed"])
        self.daemon.post({**counted, "counted_vectors": 50, "event_time": int(time.time() * 1e6)})
        self.assertTrue(self.ask("reserve", **vectors, amounts={"vectors": 50}).json["allowed"])
        self.assertFalse(self.ask("reserve", **vectors, amounts={"vectors": 1}).json["allowed"])


if __name__ == "__main__":
    harness.main()
