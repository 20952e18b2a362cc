#!/usr/bin/env python3
"""May this user proceed? Asked over HTTP by many at once, while the daemon is killed.

    python3 tests/integration/limits_test.py --bin build/release/bin
    python3 tests/integration/with_kafka.py -- python3 tests/integration/limits_test.py --bin build/release/bin
"""

import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import random
import signal
import threading
import time
import unittest
import uuid

import harness

EXPLAINED = 1000 if os.environ.get("ODOMETER_FULL") else 30
KILLS = 50 if os.environ.get("ODOMETER_FULL") else 5
THREADS = 64
KAFKA = os.environ.get("ODOMETER_KAFKA")


class LimitTest(unittest.TestCase):
    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.folder = self.cleanup.enter_context(harness.Folder())
        self.daemon = harness.Daemon(self.folder / "data", *self.log())
        self.addCleanup(self.daemon.close)

    @staticmethod
    def log():
        """Embedded; or a topic of its own on the broker that ODOMETER_KAFKA names."""
        if not KAFKA:
            return "--log-partitions", "1"
        log = f"kafka://{KAFKA}/limits-{uuid.uuid4()}"
        made = harness.run_cli("topics", "create", "--log", log, "--partitions", "1")
        if made.returncode != 0:
            raise AssertionError(made)
        return "--log", log

    def define(self, type_, **fields):
        answer = self.daemon.post({"type": type_, "who": "root", "why": "test", **fields})
        self.assertEqual(answer.json["outcomes"]["applied"], 1, answer)

    def override(self, user, *limits):
        self.define("LimitOverridden", user=user, limits=list(limits))

    def ask(self, verb, expect=200, **fields):
        answer = self.daemon.request("POST", f"/v1/limits/{verb}", json.dumps(fields).encode())
        self.assertEqual(answer.status, expect, answer)
        return answer

    def admit(self, user="ann", **fields):
        return self.ask("admit", user=user, amounts={"requests": 1}, **fields).json


class Verdicts(LimitTest):
    def test_what_is_refused_says_by_which_limit_and_when_to_come_again(self):
        self.override("ann", {"meter": "requests", "window": "rolling_hour", "cap": 2})
        self.assertTrue(self.admit()["allowed"])
        self.assertTrue(self.admit()["allowed"])
        answer = self.ask("admit", user="ann", amounts={"requests": 1})
        self.assertFalse(answer.json["allowed"])
        self.assertEqual(answer.json["refused_by"], "limit")
        limit = answer.json["limits"][0]
        self.assertEqual((limit["used"], limit["cap"], limit["remaining"], limit["level"], limit["warning"]),
                         (2, 2, 0, "user_override", "critical"))
        self.assertLessEqual(int(answer.headers["Retry-After"]), 3660)
        self.assertEqual(answer.headers["RateLimit-Policy"], '"requests-rolling_hour-user";q=2;w=3600')
        self.assertIn('"requests-rolling_hour-user";r=0;t=', answer.headers["RateLimit"])
        # A verdict is handed out before a view shows it.
        seen = "min_position=" + answer.json["position"]
        check = self.ask("check?" + seen, user="ann", amounts={"requests": 1}).json
        self.assertFalse(check["allowed"])
        status = self.daemon.get("/v1/quota-status?user=ann&" + seen).json
        self.assertEqual(status["warning"], "critical")
        self.assertEqual(int(self.daemon.summary("ann").json["requests"]), 2)

    def test_a_retry_with_the_same_key_gets_the_first_verdict(self):
        self.override("ann", {"meter": "requests", "window": "day", "cap": 1})
        asked = {"key": "k1", "event_time": "2026-01-01T00:00:00Z"}
        first, second = self.admit(**asked), self.admit(**asked)
        self.assertTrue(first["allowed"] and second["allowed"] and second["duplicate"])
        self.assertEqual(first["id"], second["id"])
        self.assertFalse(self.admit()["allowed"])
        other = self.ask("admit", 409, user="bob", amounts={"requests": 1}, **asked)
        self.assertEqual(other.json["type"].rpartition(":")[2], "conflict")

    def test_a_hold_is_listed_settled_once_and_its_overrun_shown(self):
        self.override("ann", {"meter": "total_tokens", "window": "month", "cap": 1000})
        hold = self.ask("reserve", user="ann", amounts={"total_tokens": 800}).json
        self.assertEqual(hold["state"], "open")
        self.assertFalse(self.ask("reserve", user="ann", amounts={"total_tokens": 300}).json["allowed"])
        listed = self.daemon.get(f"/v1/limits/holds?user=ann&min_position={hold['position']}").json["holds"]
        self.assertEqual([each["id"] for each in listed], [hold["id"]])
        settled = self.ask(f"holds/{hold['id']}/settle", amounts={"total_tokens": 900}).json
        self.assertEqual((settled["state"], settled["overrun"]), ("settled", {"total_tokens": 100}))
        again = self.ask(f"holds/{hold['id']}/settle", 409, amounts={"total_tokens": 1})
        self.assertEqual(again.json["type"].rpartition(":")[2], "hold-closed")
        self.ask(f"holds/{uuid.uuid4()}/release", 404)
        self.assertEqual(self.daemon.get(f"/v1/limits/holds?min_position={settled['position']}").json["holds"], [])

    def test_a_hold_expires_on_a_silent_log_by_itself(self):
        self.override("ann", {"meter": "total_tokens", "window": "month", "cap": 1000})
        hold = self.ask("reserve", user="ann", amounts={"total_tokens": 1000}, ttl_us=1_000_000).json
        listed = f"/v1/limits/holds?min_position={hold['position']}"  # not one of before it was held
        harness.await_true("the hold expires", lambda: not self.daemon.get(listed).json["holds"], 30)
        self.assertTrue(self.ask("reserve", user="ann", amounts={"total_tokens": 1000}).json["allowed"])

    def test_bad_input_is_refused_with_what_to_do(self):
        for fields in ({"user": "ann"}, {"user": "ann", "amounts": {"nonsense": 1}}, {"amounts": {"requests": 1}},
                       {"user": "ann", "amounts": {"requests": -1}}, {"user": "ann", "amounts": {"requests": 2}},
                       {"user": "ann", "amounts": {"requests": 1}, "ttl_us": 5}, {"user": "ann", "amounts": 7}):
            answer = self.ask("admit", 422, **fields)
            self.assertTrue(answer.json["detail"], fields)
        self.assertEqual(self.daemon.request("POST", "/v1/limits/admit", b"[]").status, 400)
        self.assertEqual(self.daemon.request("POST", "/v1/limits/admit", b"{").status, 400)
        self.assertEqual(self.daemon.get("/v1/limits").status, 400)
        unknown = self.daemon.post({"type": "ProfileAssigned", "user": "ann", "profile": "Gold", "who": "r", "why": "t"})
        self.assertEqual(unknown.json["items"][0]["reason"], "unknown_profile", unknown)


class CommandLine(LimitTest):
    WHO = ("--who", "root", "--why", "a test")

    def run_verb(self, *arguments, code=0):
        done = harness.run_cli("--server", f"http://{self.daemon.host}", *arguments)
        self.assertEqual(done.returncode, code, done)
        return done.stdout

    def test_profiles_quotas_and_overrides_are_set_shown_and_checked(self):
        self.run_verb("profiles", "set", "Team", "--limit", "requests/rolling_hour=1", *self.WHO)
        preview = self.run_verb("profiles", "assign", "Team", "--user", "ann", "--user", "bob", "--preview", *self.WHO)
        self.assertIn("would change 2", preview)
        self.assertIn("changed 2", self.run_verb("profiles", "assign", "Team", "--user", "ann", "--user", "bob", *self.WHO))
        self.assertIn("Team", self.run_verb("limits", "show", "--user", "ann"))
        self.run_verb("check", "--user", "ann", "--amount", "requests=1")
        self.admit()
        self.assertIn("refused", self.run_verb("check", "--user", "ann", "--amount", "requests=1", code=1))
        self.assertIn("refused", self.run_verb("explain", "--user", "ann", code=1))
        self.run_verb("limits", "override", "--user", "ann", "--limit", "requests/rolling_hour=none", *self.WHO)
        self.run_verb("check", "--user", "ann", "--amount", "requests=1")
        self.run_verb("quotas", "set", "project", "--project", "docs", "--limit", "searches/rolling_24h=5", *self.WHO)
        self.assertIn("searches/rolling_24h=5", self.run_verb("quotas", "list"))
        self.run_verb("limits", "enforce", "observe", *self.WHO)
        listed = json.loads(self.run_verb("profiles", "list", "--json"))
        self.assertEqual([each["assigned"] for each in listed["profiles"] if each["name"] == "Team"], [2])

    def test_a_zone_of_the_tz_database_moves_the_day(self):
        self.run_verb("limits", "zone", "Asia/Kolkata", *self.WHO)
        self.run_verb("limits", "zone", "Mars/Base", *self.WHO, code=2)
        self.override("ann", {"meter": "requests", "window": "day", "cap": 5})
        resets = self.daemon.get("/v1/limits?user=ann").json["limits"][0]["resets_at"]
        self.assertTrue(resets.endswith("T18:30:00.000000Z"), resets)

    def test_holds_are_listed_and_released(self):
        hold = self.ask("reserve", user="ann", amounts={"total_tokens": 5}).json
        self.assertIn(hold["id"], self.run_verb("holds", "list", "--user", "ann"))
        self.assertIn("released", self.run_verb("holds", "release", hold["id"], "--why", "stuck"))
        self.assertIn("nothing is held", self.run_verb("holds", "list"))
        self.run_verb("holds", "release", str(uuid.uuid4()), code=5)

    def test_what_is_no_limit_or_amount_is_said_so(self):
        self.run_verb("check", "--user", "ann", "--amount", "requests", code=2)
        self.run_verb("quotas", "set", "galaxy", "--limit", "searches/day=1", *self.WHO, code=2)
        self.run_verb("profiles", "set", "Team", "--limit", "requests=1", *self.WHO, code=2)
        self.run_verb("explain", code=2)


class NoOvershoot(LimitTest):
    """Many ask for one cap at once, in three ways, while the daemon is killed."""

    CAP = 2000

    def hammer(self, stop, tally, number):
        for round_ in itertools.count():
            if stop.is_set():
                return
            verb = ("admit", "reserve", "lease")[(number + round_) % 3]
            amount = 1 if verb == "admit" else 3
            body = {"user": "ann", "amounts": {"requests": amount}, "id": str(uuid.uuid4()),
                    "event_time": "2026-01-01T00:00:00Z"}
            while not stop.is_set():
                try:
                    with contextlib.closing(http.client.HTTPConnection(self.daemon.host, timeout=10)) as connection:
                        connection.request("POST", f"/v1/limits/{verb}", json.dumps(body))
                        answer = connection.getresponse()
                        text = answer.read()
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
                    continue
                if answer.status == 200:
                    verdict = json.loads(text)
                    with tally["lock"]:
                        tally["verdicts"].append(verdict)
                        tally["asks"] += 1
                        tally["granted"] += amount if verdict["allowed"] else 0
                        tally["refused"] += not verdict["allowed"]
                    break
                time.sleep(0.05)

    def explain_some(self, verdicts):
        """Each as it was answered then, whatever has been asked since."""
        said = ("allowed", "refused_by", "judged_at", "retry_after_s", "limits")
        refused = [verdict for verdict in verdicts if not verdict["allowed"]]
        for verdict in random.sample(refused, min(EXPLAINED, len(refused))) + random.sample(verdicts, 5):
            answer = self.daemon.get(f"/v1/limits/explain?ask={verdict['id']}")
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual({name: answer.json[name] for name in said}, {name: verdict[name] for name in said})

    def try_out_what_was_live(self, tally):
        cli = harness.run_cli("backtest", "--data-dir", str(self.folder / "data"), "--json")
        self.assertEqual(cli.returncode, 0, cli.stderr)
        report = json.loads(cli.stdout)
        self.assertEqual((report["newly_refused"], report["newly_allowed"]), (0, 0))
        self.assertEqual(report["refused"], report["refused_live"])
        self.assertGreaterEqual(report["refused"], tally["refused"])

    def test_the_sum_of_what_was_granted_never_passes_the_cap(self):
        self.override("ann", {"meter": "requests", "window": "lifetime", "cap": self.CAP})
        stop, tally = threading.Event(), {"lock": threading.Lock(), "asks": 0, "granted": 0, "refused": 0, "verdicts": []}
        threads = [threading.Thread(target=self.hammer, args=(stop, tally, n)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(KILLS):
                time.sleep(0.5)
                self.daemon.process.send_signal(signal.SIGKILL)
                self.daemon.wait()
                self.daemon.start()
            harness.await_true("the cap is reached", lambda: tally["refused"] > THREADS, 60)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertLessEqual(tally["granted"], self.CAP)
        status = self.daemon.get("/v1/limits?user=ann").json["limits"][0]
        taken = int(status["used"]) + int(status["held"])
        # All that was granted is taken, also what a killed daemon granted and could not say.
        self.assertLessEqual(taken, self.CAP)
        self.assertGreaterEqual(taken, tally["granted"])
        self.assertGreater(taken, self.CAP - 3)
        self.explain_some(tally["verdicts"])
        self.assertEqual(self.daemon.stop(), 0)
        self.try_out_what_was_live(tally)
        code, report = harness.audit(self.folder / "data", self.folder / "audit")
        self.assertEqual((code, report.get("drift")), (0, 0), report)


class Scope:
    """A cap that many share, and asks that share it."""

    def __init__(self, name, query, quota, subjects, amounts, verbs):
        self.name, self.query, self.quota, self.subjects = name, query, quota, subjects
        self.amounts, self.verbs = amounts, verbs


CAP = 1000
PROCESSES = 4
SCOPES = [
    Scope("a user's searches over 8 projects", "user=ann&project=p0",
          {"level": "user", "user": "ann", "limits": [{"meter": "searches", "window": "lifetime", "cap": CAP}]},
          [{"user": "ann", "project": f"p{n}"} for n in range(8)], {"searches": 3}, ("admit", "reserve", "lease")),
    Scope("a tenant's operations, of all users", "user=bob",
          {"level": "tenant", "limits": [{"meter": "operations", "window": "lifetime", "cap": CAP}]},
          [{"user": f"bob{n}", "project": f"q{n % 3}"} for n in range(20)], {"operations": 2},
          ("admit", "reserve", "lease")),
    Scope("a collection's vectors", "user=cat&project=docs&collection=c",
          {"level": "collection", "project": "docs", "collection": "c",
           "limits": [{"meter": "vectors", "window": "gauge", "cap": CAP}]},
          [{"user": f"cat{n}", "project": "docs", "collection": "c"} for n in range(5)], {"vectors": 7}, ("reserve",)),
]


def hammer(data_dir, stop, tallies, number):
    """One client process: its threads ask for every scope, again until each is answered."""
    granted, refused, lock = [0] * len(SCOPES), [0] * len(SCOPES), threading.Lock()

    def one(thread):
        rng = random.Random(number * 1000 + thread)
        while not stop.is_set():
            at = rng.randrange(len(SCOPES))
            scope = SCOPES[at]
            verb = rng.choice(scope.verbs)
            amounts = {meter: 1 for meter in scope.amounts} if verb == "admit" else scope.amounts
            body = json.dumps({**rng.choice(scope.subjects), "amounts": amounts, "id": str(uuid.uuid4()),
                               "event_time": "2026-01-01T00:00:00Z"})
            while not stop.is_set():
                try:
                    host = (data_dir / "http.address").read_text().strip()
                    with contextlib.closing(http.client.HTTPConnection(host, timeout=10)) as connection:
                        connection.request("POST", f"/v1/limits/{verb}", body)
                        answer = connection.getresponse()
                        text = answer.read()
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
                    continue
                if answer.status == 200:
                    is_allowed = json.loads(text)["allowed"]
                    with lock:
                        granted[at] += sum(amounts.values()) if is_allowed else 0
                        refused[at] += not is_allowed
                    break
                time.sleep(0.05)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(THREADS // PROCESSES)]
    for thread in threads:
        thread.start()
    while not stop.wait(0.1):
        tallies[number] = (list(granted), list(refused))
    for thread in threads:
        thread.join()
    tallies[number] = (list(granted), list(refused))


class NoOvershootOfMany(LimitTest):
    """Client processes ask for caps that users, projects and collections share, while the daemon is killed."""

    def setUp(self):
        super().setUp()
        for scope in SCOPES:
            self.define("QuotaSet", **scope.quota)

    def standing(self, scope):
        """The limit that the scope shares, as it is resolved."""
        limit = scope.quota["limits"][0]
        found = self.daemon.get(f"/v1/limits?{scope.query}").json["limits"]
        return next(each for each in found if (each["meter"], each["window"]) == (limit["meter"], limit["window"]))

    def test_what_processes_were_granted_of_shared_caps_never_passes_them(self):
        context = multiprocessing.get_context("fork")
        with context.Manager() as manager:
            stop, tallies = context.Event(), manager.dict()
            clients = [context.Process(target=hammer, args=(self.daemon.data_dir, stop, tallies, n))
                       for n in range(PROCESSES)]
            for client in clients:
                client.start()
            try:
                for _ in range(KILLS):
                    time.sleep(0.5)
                    self.daemon.process.send_signal(signal.SIGKILL)
                    self.daemon.wait()
                    self.daemon.start()

                def are_all_refused():
                    refused = [tally[1] for tally in tallies.values()]
                    return len(refused) == PROCESSES and all(sum(each) > THREADS for each in zip(*refused))
                harness.await_true("each cap is reached", are_all_refused, 120, 0.2)
            finally:
                stop.set()
                for client in clients:
                    client.join()
            granted = [sum(each) for each in zip(*(tally[0] for tally in tallies.values()))]
        for scope, of_scope in zip(SCOPES, granted):
            with self.subTest(scope.name):
                status = self.standing(scope)
                taken = int(status["used"]) + int(status["held"])
                self.assertLessEqual(of_scope, taken)
                self.assertLessEqual(taken, CAP)
                self.assertGreater(taken, CAP - 8, "what was left would have fitted")
        self.let_go_of_all()
        for scope in SCOPES:
            self.assertEqual(int(self.standing(scope)["held"]), 0, scope.name)
        self.assertEqual(self.daemon.stop(), 0)
        code, report = harness.audit(self.folder / "data", self.folder / "audit")
        self.assertEqual((code, report.get("drift")), (0, 0), report)

    def let_go_of_all(self):
        position = ""
        for _ in range(100):
            holds = self.daemon.get(f"/v1/limits/holds?limit=1000{position}").json["holds"]
            if not holds:
                return
            for hold in holds:
                released = self.ask(f"holds/{hold['id']}/release").json
            position = f"&min_position={released['position']}"
        self.fail("holds are left")

    def test_after_a_count_the_next_ask_is_judged_on_what_was_counted(self):
        vectors = {"user": "cat", "project": "docs", "collection": "c"}
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
