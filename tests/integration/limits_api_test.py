#!/usr/bin/env python3
"""What the HTTP API says of limits: definitions and their tags, headers of decisions, how limits stand.

    python3 tests/integration/limits_api_test.py --bin build/release/bin

Every answer is held to consumers/http/openapi.yaml, too. The verdicts themselves are limits_test.py's.
"""

import contextlib
import json
import re
import unittest
import uuid

import harness
import openapi_test

WHY = {"who": "root", "why": "a test"}
FIELD = re.compile(r'"[a-z0-9_-]+"(;[a-z]+=\d{1,15})+(, "[a-z0-9_-]+"(;[a-z]+=\d{1,15})+)*')


def limit(meter, window, cap, **more):
    return {"meter": meter, "window": window, "cap": cap, **more}


def turns(user, count=1, tokens=None):
    """Turns of now, each of one request."""
    return [{"type": "TurnRecorded", "user": user, "status": "success", "tokens": tokens or {}} for _ in range(count)]


class ApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cleanup = contextlib.ExitStack()
        cls.addClassCleanup(cls.cleanup.close)
        folder = cls.cleanup.enter_context(harness.Folder())
        cls.daemon = harness.Daemon(folder / "data", "--log-partitions", "1")
        cls.cleanup.callback(cls.daemon.close)
        cls.document = openapi_test.Document.load()

    def setUp(self):
        # A tenant of its own, so that no test sees another's figures.
        self.api = openapi_test.Client(self.daemon.host, self.document, self.id().rsplit(".", 1)[1])
        self.addCleanup(lambda: self.api.connection and self.api.connection.close())
        self.position = None

    def get(self, target, expect=200):
        """As of all that was written before."""
        return self.get_whole(target, expect)[2]

    def get_whole(self, target, expect=200):
        separator = "&" if "?" in target else "?"
        at = f"{separator}min_position={self.position}&wait_ms=30000" if self.position else ""
        return self.api.call("GET", target + at, expect)

    def change(self, method, target, body, expect=200, **headers):
        """Answers the ETag of what stands then."""
        _, headers, answer = self.api.call(method, target, expect, {**WHY, **body}, headers)
        self.position = answer.get("position", self.position)
        return headers.get("ETag")

    def override(self, user, *limits):
        return self.change("PUT", f"/v1/users/{user}/override", {"limits": list(limits)})

    def quota(self, level, *limits, **whose):
        return self.change("PUT", "/v1/quotas", {"level": level, "limits": list(limits), **whose})

    def post(self, *events):
        report = self.api.call("POST", "/v1/events?wait=folded&wait_ms=30000", 202, list(events))[2]
        self.assertEqual(report["outcomes"]["applied"], len(events), report)
        self.position = report["position"]

    def ask(self, verb, user="ann", expect=200, **fields):
        body = {"user": user, "amounts": {"requests": 1}, **fields}
        if verb == "check" and self.position:
            verb += f"?min_position={self.position}&wait_ms=30000"
        _, headers, answer = self.api.call("POST", f"/v1/limits/{verb}", expect, body)
        self.position = answer.get("position", self.position)
        return headers, answer


class Definitions(ApiTest):
    HOURLY = limit("requests", "rolling_hour", 2)
    QUOTAS = ({"level": "user_project", "user": "ann", "project": "docs"}, {"level": "user", "user": "ann"},
              {"level": "project", "project": "docs"}, {"level": "default"},
              {"level": "collection", "project": "docs", "collection": "c"}, {"level": "tenant"})

    def stands(self, route, body):
        """The id of the definition that stands there, from its GET."""
        if route.startswith("/v1/policy/"):
            part = "enforced" if route.endswith("enforcement") else "zoned"
            return self.get("/v1/policy")[part]["definition"]
        if route != "/v1/quotas":
            _, headers, answer = self.get_whole(route)
            self.assertEqual(headers.get("ETag"), answer["definition"] and f'"{answer["definition"]}"')
            return answer["definition"]
        found = [quota["definition"] for quota in self.get(route)["quotas"]
                 if all(quota[name] == body.get(name, "") for name in ("level", "user", "project", "collection"))]
        return found[0] if found else None

    def test_a_stale_tag_changes_nothing_on_any_route(self):
        limits = {"limits": [self.HOURLY]}
        routes = [("/v1/profiles/Gold", limits), ("/v1/users/ann/profile", {"profile": "Pro"}),
                  ("/v1/fallback-profile", {"profile": "Free"}), ("/v1/users/ann/override", limits),
                  ("/v1/override", limits), *(("/v1/quotas", {**quota, **limits}) for quota in self.QUOTAS),
                  ("/v1/policy/enforcement", {"enforcement": "on"}), ("/v1/policy/zone", {"zone": "UTC"})]
        for route, body in routes:
            with self.subTest(route=route, level=body.get("level")):
                first = self.change("PUT", route, body, **{"If-None-Match": "*"})
                self.change("PUT", route, body, 412, **{"If-None-Match": "*"})
                second = self.change("PUT", route, body, **{"If-Match": first})
                self.assertNotEqual(first, second)
                for stale in (first, f'"{uuid.uuid4()}"'):
                    self.change("PUT", route, body, 412, **{"If-Match": stale})
                self.assertEqual(f'"{self.stands(route, body)}"', second)
                self.change("PUT", route, body, 400, **{"If-Match": second, "If-None-Match": "*"})
                self.change("PUT", route, body, **{"If-Match": second})

    def test_a_profile_is_deleted_only_by_who_knows_what_stands_and_only_if_nobody_has_it(self):
        first = self.change("PUT", "/v1/profiles/Gold", {"limits": [self.HOURLY]})
        second = self.change("PUT", "/v1/profiles/Gold", {"limits": []}, **{"If-Match": first})
        self.change("DELETE", "/v1/profiles/Gold", {}, 412, **{"If-Match": first})
        self.change("PUT", "/v1/users/ann/profile", {"profile": "Gold"})
        self.change("DELETE", "/v1/profiles/Gold", {}, 409, **{"If-Match": second})
        self.assertEqual(self.get("/v1/profiles/Gold")["assigned"], 1)
        self.change("PUT", "/v1/users/ann/profile", {"profile": ""})
        self.change("DELETE", "/v1/profiles/Gold", {}, **{"If-Match": second})
        self.get("/v1/profiles/Gold", 404)
        self.assertNotIn("Gold", [profile["name"] for profile in self.get("/v1/profiles")["profiles"]])
        self.change("PUT", "/v1/users/ann/profile", {"profile": "Gold"}, 422)
        self.change("PUT", "/v1/profiles/Gold", {"limits": []}, **{"If-None-Match": "*"})

    def test_what_is_taken_away_refuses_nobody_any_more(self):
        nothing = limit("requests", "rolling_hour", 0)
        removed = {"override of the user": ("/v1/users/ann/override", {}), "override of all": ("/v1/override", {}),
                   **{f"quota, {quota['level']}": ("/v1/quotas", quota) for quota in self.QUOTAS}}
        for name, (route, body) in removed.items():
            with self.subTest(name):
                self.change("PUT", route, {**body, "limits": [nothing]})
                whose = {"project": "docs", "collection": "c"}
                self.assertFalse(self.ask("admit", **whose)[1]["allowed"])
                self.change("PUT", route, {**body, "limits": []})
                verdict = self.ask("admit", **whose)[1]
                self.assertTrue(verdict["allowed"], verdict)
                self.assertEqual(verdict["limits"], [])
                self.assertIsNone(self.stands(route, body))

    def test_a_profile_with_one_bad_limit_among_good_ones_changes_nothing(self):  # D23
        tag = self.change("PUT", "/v1/profiles/Gold", {"limits": [self.HOURLY], "description": "as it was"})
        before = self.get_whole("/v1/profiles/Gold")
        good = limit("requests", "rolling_hour", 7)
        for bad in (limit("requests", "fortnight", 1), limit("nonsense", "day", 1), limit("searches", "day", -1),
                    limit("vectors", "day", 1), limit("searches", "day", 2**60 + 1), {"window": "day", "cap": 1}, good):
            self.change("PUT", "/v1/profiles/Gold", {"limits": [good, bad], "description": "changed"}, 422)
        after = self.get_whole("/v1/profiles/Gold")
        self.assertEqual(after[2], before[2])
        self.assertEqual((before[1]["ETag"], after[1]["ETag"]), (tag, tag))

    def test_overrides_are_listed_in_pages_and_those_taken_away_are_not_there(self):
        self.assertEqual(self.get("/v1/overrides")["data"], [])
        tags = {user: self.override(user, self.HOURLY) for user in ("cy", "ann", "bob", "dee")}
        tags[""] = self.change("PUT", "/v1/override", {"limits": [limit("searches", "day", None)]})
        self.change("PUT", "/v1/users/bob/override", {"limits": []})
        users = ["", "cy", "ann", "dee"]  # as keys lie in the store: the shorter before the longer
        for size in (1, 2, 3, 4, 1000):
            rows, cursor, sizes = [], "", []
            while cursor is not None:
                page = self.get(f"/v1/overrides?limit={size}" + (f"&cursor={cursor}" if cursor else ""))
                rows += page["data"]
                sizes.append(len(page["data"]))
                cursor = page["next_cursor"]
                self.assertEqual(page["has_more"], cursor is not None)
            self.assertEqual([row["user"] for row in rows], users)
            self.assertEqual(sizes, [min(size, 4 - begin) for begin in range(0, 4, size)])
        self.assertEqual([f'"{row["definition"]}"' for row in rows], [tags[user] for user in users])
        self.assertEqual([row["level"] for row in rows], ["tenant_override"] + ["user_override"] * 3)
        self.assertEqual((rows[0]["limits"][0]["cap"], rows[1]["limits"][0]["cap"], rows[1]["who"]), (None, 2, "root"))
        for bad in ("limit=0", "limit=1001", "cursor=nonsense"):
            self.get(f"/v1/overrides?{bad}", 400)

    def test_who_was_given_nothing_is_told_that_the_level_is_built_in(self):
        def level(user):
            answer = self.get(f"/v1/limits?user={user}")
            return answer["profile"], answer["profile_level"], [each["level"] for each in answer["limits"]]

        self.assertEqual(level("never-seen"), (None, "built_in", []))
        self.change("PUT", "/v1/fallback-profile", {"profile": "Free"})
        self.assertEqual(level("never-seen"), ("Free", "fallback_profile", ["fallback_profile"] * 5))
        self.change("PUT", "/v1/users/ann/profile", {"profile": "Pro"})
        self.assertEqual(level("ann"), ("Pro", "profile", ["profile"] * 5))


class Headers(ApiTest):
    def state(self, headers):
        """(policy, state, Retry-After), the first two valid fields or None."""
        policy, state = headers.get("RateLimit-Policy"), headers.get("RateLimit")
        for field in (policy, state):
            self.assertTrue(field is None or FIELD.fullmatch(field), field)
        return policy, state, headers.get("Retry-After")

    def test_every_verb_has_policy_and_state_and_when_to_come_again(self):
        for verb in ("check", "admit", "reserve", "lease"):
            with self.subTest(verb):
                self.override(verb, limit("requests", "rolling_hour", 2))
                headers, answer = self.ask(verb, verb)
                name, policy = '"requests-rolling_hour-user"', '"requests-rolling_hour-user";q=2;w=3600'
                self.assertTrue(answer["allowed"])
                self.assertEqual(self.state(headers), (policy, f"{name};r=1", None))
                while self.ask("admit", verb)[1]["allowed"]:
                    pass
                headers, answer = self.ask(verb, verb)
                self.assertFalse(answer["allowed"])
                again = answer["retry_after_s"]
                self.assertTrue(0 < again <= 3660, again)
                self.assertEqual(self.state(headers), (policy, f"{name};r=0;t={again}", str(again)))

    def test_what_has_no_window_has_a_policy_without_one(self):
        self.quota("project", limit("vectors", "gauge", 10), project="docs")
        self.override("ann", limit("requests", "lifetime", 1))
        docs = {"project": "docs", "user": "bob"}
        name = '"vectors-gauge-project"'
        for verb, state in (("check", "r=4"), ("reserve", "r=4"), ("check", "r=4"), ("lease", "r=4")):
            amount = 6 if state == "r=4" else 7
            headers, answer = self.ask(verb, amounts={"vectors": amount}, **docs)
            self.assertEqual(self.state(headers), (f"{name};q=10", f"{name};{state}", None))
            self.assertEqual(answer["allowed"], answer["limits"][0]["held"] == 0)
        name = '"requests-lifetime-user"'
        for allowed in (True, False):  # it does not pass by time: nobody is told to wait
            headers, answer = self.ask("admit")
            self.assertEqual((answer["allowed"], answer["retry_after_s"]), (allowed, None))
            self.assertEqual(self.state(headers), (f"{name};q=1", f"{name};r=0", None))

    def test_a_calendar_window_says_when_it_begins_anew(self):
        self.override("ann", limit("requests", "month", 5), limit("searches", "day", 3), limit("bytes", "gauge", 2**60))
        policy, state, _ = self.state(self.ask("admit")[0])
        self.assertEqual(policy, '"requests-month-user";q=5, "searches-day-user";q=3;w=86400, '
                                 '"bytes-gauge-user";q=999999999999999')
        self.assertRegex(state, r'^"requests-month-user";r=4;t=\d+, "searches-day-user";r=3;t=\d+, '
                                r'"bytes-gauge-user";r=999999999999999$')

    def test_soft_limits_and_no_limits_have_none(self):
        self.override("ann", limit("requests", "rolling_hour", 0, mode="soft"))
        for user in ("ann", "bob"):
            for verb in ("check", "admit", "reserve", "lease"):
                headers, answer = self.ask(verb, user)
                self.assertTrue(answer["allowed"])
                self.assertEqual(self.state(headers), (None, None, None))


class Standing(ApiTest):
    def test_a_warning_begins_at_80_95_and_100_percent(self):
        table = [(0, 100, 0, "none"), (79, 100, 79, "none"), (80, 100, 80, "warning"), (94, 100, 94, "warning"),
                 (95, 100, 95, "urgent"), (99, 100, 99, "urgent"), (100, 100, 100, "critical"),
                 (250, 100, 250, "critical"), (799, 1000, 79, "none"), (949, 1000, 94, "warning"),
                 (999, 1000, 99, "urgent"), (0, 0, 100, "critical")]
        for row, (used, cap, percent, warning) in enumerate(table):
            with self.subTest(used=used, cap=cap):
                user = f"user{row}"
                self.override(user, limit("output_tokens", "lifetime", cap), limit("searches", "day", 5))
                if used:
                    self.post(*turns(user, tokens={"output": used}))
                answer = self.get(f"/v1/quota-status?user={user}")
                tokens, searches = answer["limits"]
                self.assertEqual((tokens["used"], tokens["cap"], tokens["percent"], tokens["warning"]),
                                 (used, cap, percent, warning))
                self.assertEqual((searches["percent"], searches["warning"]), (0, "none"))
                self.assertEqual(answer["warning"], warning)  # the gravest

    def near(self, query):
        rows, cursor, pages = [], "", 0
        while cursor is not None:
            page = self.get(f"/v1/consumption/users?{query}" + (f"&cursor={cursor}" if cursor else ""))
            rows, cursor, pages = rows + page["data"], page["next_cursor"], pages + 1
            self.assertEqual(page["has_more"], cursor is not None)
        self.assertEqual(page["total_count"], len(rows))
        return [(row["user"], [(each["meter"], each["percent"]) for each in row["limits"]]) for row in rows], pages

    def fill(self):
        """Users by how near they are to a limit, of several meters."""
        search = {"type": "VectorsSearched", "user": "urgent", "project": "docs", "status": "success"}
        self.override("below", limit("requests", "lifetime", 100))
        self.override("warned", limit("total_tokens", "month", 100), limit("requests", "lifetime", 100))
        self.override("also-warned", limit("requests", "rolling_hour", 5))
        self.override("holding", limit("output_tokens", "day", 100))
        self.override("urgent", limit("searches", "rolling_24h", 20))
        self.override("full", limit("requests", "rolling_hour", 4), limit("config_changes", "lifetime", 100))
        self.override("beyond", limit("config_changes", "rolling_24h", 2))
        self.override("nothing-allowed", limit("searches", "day", 0))
        self.post(*turns("below", 79), *turns("warned", 1, {"input_uncached": 50, "output": 30}), *turns("full", 4),
                  *turns("also-warned", 4), *([search] * 19), *([{"type": "ConfigChanged", "user": "beyond"}] * 3),
                  *turns("unlimited", 3))
        self.ask("reserve", "holding", amounts={"output_tokens": 85})

    def test_users_near_a_limit_of_any_meter_come_by_percent_then_by_name(self):
        self.fill()
        expected = [("beyond", [("config_changes", 150)]), ("full", [("requests", 100)]),
                    ("nothing-allowed", [("searches", 100)]), ("urgent", [("searches", 95)]),
                    ("holding", [("output_tokens", 85)]), ("also-warned", [("requests", 80)]),
                    ("warned", [("total_tokens", 80)])]
        for size, pages in ((1, 7), (3, 3), (7, 1), (1000, 1)):
            self.assertEqual(self.near(f"threshold=80&limit={size}"), (expected, pages))
        self.assertEqual(self.near("threshold=96")[0], expected[:3])
        self.assertEqual(self.near("threshold=79")[0], [*expected, ("below", [("requests", 79)])])
        self.assertEqual(self.near("threshold=151")[0], [])
        cursor = self.get("/v1/consumption/users?threshold=80&limit=1")["next_cursor"]
        self.get(f"/v1/consumption/users?threshold=95&limit=1&cursor={cursor}", 400)

    CAPS = ("input_tokens_limit", "output_tokens_limit", "prompts_per_hour_limit", "prompts_per_day_limit")
    LEFT = ("input_tokens_remaining", "output_tokens_remaining", "requests_hour_remaining", "requests_day_remaining")

    def summary(self, user):
        return self.get(f"/v1/consumption/summary?user={user}")

    def test_the_summary_shows_each_cap_and_what_remains_of_it(self):  # D18
        self.override("ann", limit("input_tokens", "month", 0), limit("output_tokens", "month", 100),
                      limit("requests", "rolling_hour", 1), limit("requests", "rolling_24h", None))
        self.post(*turns("ann", 1, {"input_uncached": 5, "output": 30}), *turns("bob"))
        ann, bob = self.summary("ann"), self.summary("bob")
        self.assertEqual([ann[name] for name in self.CAPS], [0, 100, 1, None])
        self.assertEqual([ann[name] for name in self.LEFT], [0, 70, 0, None])
        self.assertEqual([bob[name] for name in self.CAPS + self.LEFT], [None] * 8)
        self.change("PUT", "/v1/users/bob/profile", {"profile": "Free"})
        self.assertEqual([self.summary("bob")[name] for name in self.CAPS + self.LEFT],
                         [100_000, 50_000, 50, 500, 100_000, 50_000, 50, 499])  # the hour counts since its limit

    def test_the_summary_counts_what_is_held_open(self):
        self.post(*turns("ann"))
        self.assertEqual(self.summary("ann")["open_holds"], 0)
        hold = self.ask("reserve")[1]
        self.assertEqual(self.summary("ann")["open_holds"], 1)
        self.position = self.api.call("POST", f"/v1/limits/holds/{hold['id']}/release", 200, {})[2]["position"]
        self.assertEqual(self.summary("ann")["open_holds"], 0)


class Replay(unittest.TestCase):
    def test_the_holds_that_are_open_are_found_again_by_replay(self):
        with harness.Folder() as folder:
            daemon = harness.Daemon(folder / "data", "--log-partitions", "1")
            self.addCleanup(daemon.close)
            for user in ("ann", "bob", "cy"):
                body = json.dumps({"user": user, "amounts": {"requests": 1}, "ttl_us": 3_600_000_000})
                hold = daemon.request("POST", "/v1/limits/reserve", body.encode()).json["id"]
            self.assertEqual(daemon.request("POST", f"/v1/limits/holds/{hold}/release", b"{}").status, 200)
            self.assertEqual(len(daemon.get("/v1/limits/holds").json["holds"]), 2)
            self.assertEqual(daemon.stop(), 0)
            done = harness.run_cli("replay", "--data-dir", folder / "data", "--json")
            self.assertEqual((done.returncode, json.loads(done.stdout)["open_holds"]), (0, 2), done)
            self.assertIn("open holds 2", harness.run_cli("replay", "--data-dir", folder / "data").stdout)


if __name__ == "__main__":
    harness.main()
