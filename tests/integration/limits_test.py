#!/usr/bin/env python3
"""May this user proceed? Asked over HTTP and by the command line; what many ask at once is in overshoot_test.py.

    python3 tests/integration/limits_test.py --bin build/release/bin
"""

import json
import time
import uuid

import harness
from limit_case import LimitTest


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
        unknown = self.daemon.post({"type": "ProfileAssigned", "user": "ann", "profile": "Gold", "who": "r",
                                    "why": "t"})
        self.assertEqual(unknown.json["items"][0]["reason"], "unknown_profile", unknown)


class CommandLine(LimitTest):
    WHO = ("--who", "root", "--why", "a test")

    def test_profiles_quotas_and_overrides_are_set_shown_and_checked(self):
        self.run_verb("profiles", "set", "Team", "--limit", "requests/rolling_hour=1", *self.WHO)
        preview = self.run_verb("profiles", "assign", "Team", "--user", "ann", "--user", "bob", "--preview", *self.WHO)
        self.assertIn("would change 2", preview)
        both = self.run_verb("profiles", "assign", "Team", "--user", "ann", "--user", "bob", *self.WHO)
        self.assertIn("changed 2", both)
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


class AtAPastMoment(LimitTest):
    """odometer explain --at, and odometer backtest --profile --from --to."""

    WHO = ("--who", "root", "--why", "a test")

    def admit_apart(self, count):
        """Some admits, each at a time of its own."""
        verdicts = []
        for _ in range(count):
            time.sleep(0.01)
            verdicts.append(self.admit())
        time.sleep(0.01)
        return verdicts

    def explained(self, at, code):
        answer = json.loads(self.run_verb("--json", "explain", "--user", "ann", "--at", at, code=code))
        limit, = answer["limits"]
        return answer["allowed"], limit["used"], answer["position"]

    def test_explain_goes_back_to_a_position_and_to_a_time(self):
        self.override("ann", {"meter": "requests", "window": "lifetime", "cap": 2})
        first, second, third = self.admit_apart(3)
        self.assertEqual([each["allowed"] for each in (first, second, third)], [True, True, False])
        for at in ("position", "judged_at"):
            self.assertEqual(self.explained(first[at], 0), (True, 1, first["position"]))
            self.assertEqual(self.explained(second[at], 1), (False, 2, second["position"]))
        text = self.run_verb("explain", "--user", "ann", "--at", second["position"], code=1)
        self.assertIn("refused (limit)", text)
        self.assertIn("moved by 2 events", text)
        for amount, code in (("requests=1", 0), ("requests=2", 1)):
            self.run_verb("explain", "--user", "ann", "--at", first["position"], "--amount", amount, code=code)

    def test_explain_of_no_moment_says_so(self):
        self.admit()
        for at, words in (("yesterday", "is not a position"), ("p7.1", "another partition"),
                          ("p0.999", "ends at offset")):
            self.assertIn(words, self.fail_verb("explain", "--user", "ann", "--at", at, code=2))

    def backtest(self, *arguments):
        return json.loads(self.run_verb("backtest", "--data-dir", str(self.folder / "data"), "--json", *arguments))

    def digest(self, position):
        """Of all figures, once they hold this position; with the position that they hold."""
        self.assertEqual(self.daemon.summary("ann", position=position).status, 200)
        digest = json.loads(self.run_verb("digest", "--json"))
        return digest["state_digest"], digest["positions"]

    def file(self, text):
        path = self.folder / f"{uuid.uuid4()}.json"
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return str(path)

    def test_backtest_tries_a_profile_on_a_time_and_changes_nothing_live(self):
        self.run_verb("profiles", "set", "Team", "--limit", "requests/lifetime=9", *self.WHO)
        self.run_verb("profiles", "assign", "Team", "--user", "ann", *self.WHO)
        before, within, after = self.admit_apart(2), self.admit_apart(3), self.admit_apart(1)
        before_all = self.digest(after[0]["position"])
        tried = self.file({"profile": "Team", "limits": [{"meter": "requests", "window": "lifetime", "cap": 3}]})
        report = self.backtest("--profile", tried, "--from", within[0]["judged_at"], "--to", after[0]["judged_at"])
        self.assertEqual((report["asked"], report["newly_refused"], report["refused_live"]), (3, 2, 0))
        self.assertEqual([(each["ask"], each["new"]) for each in report["refusals"]],
                         [(each["id"], True) for each in within[1:]], "the third of all was the last that fits")
        user, = report["users"]
        self.assertEqual((user["user"], user["first_refused_at"]), ("ann", within[1]["judged_at"]))
        whole = self.backtest("--profile", tried)
        self.assertEqual((whole["asked"], whole["newly_refused"]), (len(before + within + after), 3))
        self.assertEqual(self.backtest("--from", within[0]["judged_at"])["newly_refused"], 0, "nothing was tried")
        self.assertEqual(self.digest(after[0]["position"]), before_all)
        last = self.admit()
        self.assertEqual(last["limits"][0]["cap"], 9)
        self.assertNotEqual(self.digest(last["position"])[0], before_all[0], "a digest moves with what is asked")

    def test_backtest_of_a_wrong_file_or_time_says_what_is_wrong_with_it(self):
        position = self.admit()["position"]
        before = self.digest(position)
        limit = {"meter": "requests", "window": "lifetime", "cap": 1}
        data_dir = str(self.folder / "data")
        for text, words in (("{", "is not JSON"), ("7", "is not JSON"), ("[7]", "a definition is an object"),
                            ({"profile": "Team", "limits": [{**limit, "window": "fortnight"}]}, "limits[0].window"),
                            ({"profile": "Team", "limits": [{**limit, "cap": -1}]}, "limits[0].cap"),
                            ({"profile": "Team", "limits": [{**limit, "cap": 2**60 + 1}]}, "a cap is at most 2^60"),
                            ({"type": "Tick"}, "only Odometer itself"),
                            ({"type": "ConfigChanged", "user": "ann"}, "ConfigChanged defines nothing")):
            path = self.file(text)
            said = self.fail_verb("backtest", "--data-dir", data_dir, "--profile", path, code=2)
            self.assertIn(words, said)
            self.assertIn(path, said)
        absent = str(self.folder / "absent.json")
        self.assertIn(absent, self.fail_verb("backtest", "--data-dir", data_dir, "--profile", absent, code=2))
        for name in ("--from", "--to"):
            said = self.fail_verb("backtest", "--data-dir", data_dir, name, "yesterday", code=2)
            self.assertIn(f"{name} is a time", said)
        self.assertEqual(self.digest(position), before)


class BadInput(LimitTest):
    """What cannot be, over HTTP: it is said, and nothing changes by it."""

    def assert_problem(self, answer, kind):
        self.assertEqual(answer.json["type"].rpartition(":")[2], kind, answer)

    def standing(self, position=None):
        seen = f"&min_position={position}" if position else ""
        limit, = self.daemon.get("/v1/limits?user=ann" + seen).json["limits"]
        return limit["used"], limit["held"]

    def test_another_tenants_hold_is_not_found_and_stays_held(self):
        self.override("ann", {"meter": "total_tokens", "window": "lifetime", "cap": 1000})
        hold = self.ask("reserve", user="ann", amounts={"total_tokens": 600}).json
        for verb, fields in (("settle", {"amounts": {"total_tokens": 5}}), ("release", {})):
            answer = self.ask(f"holds/{hold['id']}/{verb}", 404, "other", **fields)
            self.assert_problem(answer, "not-found")
        # Told in the log itself, past the route that looks first: it is folded, and changes nothing.
        told = {"type": "HoldReleased", "hold": hold["id"]}
        self.assertEqual(self.daemon.post(told, "other").json["outcomes"]["applied"], 1)
        self.assertEqual(self.standing(hold["position"]), (0, 600))
        self.assertEqual([each["id"] for each in self.daemon.get("/v1/limits/holds").json["holds"]], [hold["id"]])
        self.assertEqual(self.daemon.get("/v1/limits/holds", "other").json["holds"], [])
        settled = self.ask(f"holds/{hold['id']}/settle", amounts={"total_tokens": 500}).json
        self.assertEqual(settled["state"], "settled")
        self.assertEqual(self.standing(settled["position"]), (500, 0))

    def test_what_is_settled_after_it_expired_counts_once_and_what_is_released_then_is_told_so(self):
        self.override("ann", {"meter": "total_tokens", "window": "lifetime", "cap": 1000})
        asked = {"user": "ann", "amounts": {"total_tokens": 100}, "ttl_us": 1_000_000}
        holds = [self.ask("reserve", **asked).json for _ in range(2)]
        listed = f"/v1/limits/holds?min_position={holds[1]['position']}"
        harness.await_true("the holds expire", lambda: not self.daemon.get(listed).json["holds"], 30)
        self.assertEqual(self.standing(), (0, 0))
        settled = self.ask(f"holds/{holds[0]['id']}/settle", amounts={"total_tokens": 130}).json
        self.assertEqual((settled["state"], settled["settled"]), ("settled", {"total_tokens": 130}))
        self.assertEqual(self.standing(settled["position"]), (130, 0))
        again = self.ask(f"holds/{holds[0]['id']}/settle", 409, amounts={"total_tokens": 1})
        released = self.ask(f"holds/{holds[1]['id']}/release", 409)
        for answer, state in ((again, "settled"), (released, "expired")):
            self.assert_problem(answer, "hold-closed")
            self.assertIn(f"is {state} already", answer.json["detail"])
        last = self.ask("admit", user="ann", amounts={"requests": 1}).json
        self.assertEqual(self.standing(last["position"]), (130, 0))

    def test_what_is_above_the_cap_is_refused_without_a_time_to_come_again(self):
        self.override("ann", *({"meter": "requests", "window": window, "cap": 10}
                               for window in ("rolling_minute", "month")))
        answer = self.ask("reserve", user="ann", amounts={"requests": 11})
        self.assertEqual((answer.json["allowed"], answer.json["refused_by"], answer.json["retry_after_s"]),
                         (False, "limit", None))
        self.assertNotIn("Retry-After", answer.headers)
        self.assertTrue(self.ask("reserve", user="ann", amounts={"requests": 10}).json["allowed"], "nothing was taken")
        # Whoever asks for what fits once others are gone is told when.
        self.override("bob", {"meter": "requests", "window": "rolling_minute", "cap": 1})
        self.assertTrue(self.admit("bob")["allowed"])
        self.assertIn("Retry-After", self.ask("admit", user="bob", amounts={"requests": 1}).headers)
        self.ask("reserve", 422, user="ann", amounts={"requests": 2**50 + 1})

    def test_a_cap_beyond_2_to_the_60_defines_nothing(self):
        who = {"who": "root", "why": "test"}
        for cap, field in ((2**60 + 1, ""), (2**63, "limits[0].cap"), (-1, "limits[0].cap")):
            limits = [{"meter": "requests", "window": "lifetime", "cap": cap}]
            for definition in ({"type": "LimitOverridden", "user": "ann"}, {"type": "ProfileDefined", "name": "Free"},
                               {"type": "QuotaSet", "level": "user", "user": "ann"}):
                answer = self.daemon.post({**definition, "limits": limits, **who})
                self.assertEqual((answer.status, answer.json["items"][0]["field"]), (422, field), answer)
            for path in ("/v1/users/ann/override", "/v1/profiles/Free"):
                body = json.dumps({"limits": limits, **who}).encode()
                self.assertEqual(self.daemon.request("PUT", path, body).status, 422, path)
        self.assertEqual(self.admit()["limits"], [])
        self.override("ann", {"meter": "requests", "window": "lifetime", "cap": 2**60})
        self.assertEqual(int(self.admit()["limits"][0]["cap"]), 2**60)


if __name__ == "__main__":
    harness.main()
