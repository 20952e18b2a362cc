#!/usr/bin/env python3
"""The command line tool against a real daemon.

    python3 tests/integration/cli_test.py build/release/bin
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "examples" / "data"
BIN = pathlib.Path("build/release/bin")

FINE, USAGE, UNREACHABLE, BAD_DATA, PARTIAL = 0, 2, 3, 5, 6


class Daemon:
    def __init__(self, folder):
        self.data_dir = folder / "data"
        self.log = open(folder / "odometerd.log", "wb")
        self.process = subprocess.Popen([BIN / "odometerd", "--listen", "127.0.0.1:0", "--data-dir", self.data_dir],
                                        stdout=self.log, stderr=self.log)
        address = self.data_dir / "http.address"
        deadline = time.monotonic() + 60
        while not (address.exists() and address.read_text().strip()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("odometerd did not start: " + (folder / "odometerd.log").read_text())
            time.sleep(0.02)
        self.url = "http://" + address.read_text().strip().removeprefix("http://")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.log.close()
        return code


def first_lines(path, count):
    return "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:count])


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.daemon = Daemon(cls.folder)

    @classmethod
    def tearDownClass(cls):
        code = cls.daemon.stop()
        cls.temporary.cleanup()
        assert code == 0, f"odometerd exited with {code}"

    def setUp(self):
        # A tenant of its own, so that no test sees another's figures.
        self.tenant = self.id().rsplit(".", 1)[1]

    def run_cli(self, *arguments, text=None, server=None):
        environment = {**os.environ, "ODOMETER_SERVER": server or self.daemon.url, "ODOMETER_TENANT": self.tenant}
        return subprocess.run([BIN / "odometer", *map(str, arguments)], input=text or "", capture_output=True, text=True,
                              env=environment, timeout=120, check=False)

    def expect(self, exit_code, *arguments, **named):
        done = self.run_cli(*arguments, **named)
        self.assertEqual(done.returncode, exit_code, done.stdout + done.stderr)
        return done

    def report(self, exit_code, *arguments, **named):
        return json.loads(self.expect(exit_code, *arguments, "--json", **named).stdout)

    def file(self, name, text):
        path = self.folder / f"{self.tenant}-{name}"
        path.write_text(text, encoding="utf-8")
        return path

    # --- import

    def test_a_trace_counts_once_however_often_it_is_imported(self):
        head = first_lines(DATA / "azure-llm-2023" / "code.csv", 1201)
        path = self.file("code.csv", head)
        for figure in ("applied", "duplicates"):
            report = self.report(FINE, "import", "azure-llm", path)["files"][0]
            self.assertEqual((report["rows_read"], report["sent"], report[figure]), (1200, 1200, 1200))
            self.assertIsNone(report["rejects"])
        users = self.report(FINE, "users", "--sort", "user", "--limit", "1")
        self.assertEqual(users["total_count"], 100)
        row = users["data"][0]
        self.assertEqual((row["user"], row["requests"], row["sessions"]), ("user-000", 12, 1))
        month = self.report(FINE, "users", "--period", "2023-11", "--all", "--limit", "30")
        self.assertEqual(sum(int(each["requests"]) for each in month["data"]), 1200)

    def test_the_shipped_map_makes_the_same_events_as_the_built_in_one(self):
        head = first_lines(DATA / "azure-llm-2023" / "conv.csv", 51)
        path = self.file("conv.csv", head)
        self.report(FINE, "import", "azure-llm", path)
        report = self.report(FINE, "import", "csv", path, "--map", DATA / "maps" / "azure-llm.toml")
        self.assertEqual(report["files"][0]["duplicates"], 50)

    def test_the_openai_style_example_is_imported_whole(self):
        report = self.report(FINE, "import", "jsonl", DATA / "openai-style" / "usage.jsonl", "--map",
                             DATA / "maps" / "openai-style.toml")
        self.assertEqual(report["files"][0]["applied"], 30)
        self.assertEqual(report["files"][0]["rounded_rows"], 0)
        rows = list(map(json.loads, (DATA / "openai-style" / "usage.jsonl").read_text().splitlines()))
        users = self.report(FINE, "users")["data"]
        self.assertEqual(sum(int(each["total_tokens"]) for each in users), sum(row["usage"]["total_tokens"] for row in rows))

    def test_rows_that_cannot_be_imported_go_to_a_file_with_their_reasons(self):
        text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.5,1,2\nnow,1,2\n1,2\n2023-11-16 18:17:04.5,x,2\n"
        path = self.file("bad.csv", text)
        report = self.report(PARTIAL, "import", "azure-llm", path)["files"][0]
        self.assertEqual((report["rows_read"], report["sent"], report["applied"], report["bad_rows"]), (4, 1, 1, 3))
        lines = [json.loads(line) for line in pathlib.Path(f"{path}.rejected.jsonl").read_text().splitlines()]
        self.assertEqual([(line["row"], line["reason"]) for line in lines],
                         [(2, "bad_time"), (3, "column_count"), (4, "bad_amount")])
        elsewhere = self.folder / "elsewhere.jsonl"
        self.report(PARTIAL, "import", "azure-llm", path, "--rejects", elsewhere)
        self.assertEqual(len(elsewhere.read_text().splitlines()), 3)

    def test_a_row_that_the_daemon_refuses_is_rejected_too(self):
        text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.0,1,2\n2023-11-16 18:17:04.0,-5,2\n"
        path = self.file("refused.csv", text)
        rejects = pathlib.Path(f"{path}.rejected.jsonl")
        report = self.report(PARTIAL, "import", "azure-llm", path)["files"][0]
        self.assertEqual((report["applied"], report["refused"], report["bad_rows"]), (1, 1, 0))
        self.assertEqual(report["rejects"], str(rejects))
        (line,) = map(json.loads, rejects.read_text().splitlines())
        self.assertEqual((line["row"], line["reason"], line["field"]), (2, "negative_amount", "tokens.input_uncached"))
        self.assertEqual(line["raw"], "2023-11-16 18:17:04.0,-5,2")
        path.write_text(text.replace("-5", "5"))
        self.report(FINE, "import", "azure-llm", path)
        self.assertFalse(rejects.exists())

    def test_another_fact_under_the_same_id_is_quarantined_and_said(self):
        path = self.file("log.jsonl", '{"id":"a","created":1700000000,"user":"u","choices":[{"finish_reason":"stop"}]}\n')
        map_path = DATA / "maps" / "openai-style.toml"
        self.report(FINE, "import", "jsonl", path, "--map", map_path)
        path.write_text(path.read_text().replace("1700000000", "1700000001"))
        report = self.report(PARTIAL, "import", "jsonl", path, "--map", map_path)["files"][0]
        self.assertEqual((report["applied"], report["quarantined"]), (0, 1))
        line = json.loads(pathlib.Path(report["rejects"]).read_text())
        self.assertEqual(line["reason"], "conflict")
        listed = self.report(FINE, "quarantine", "list")["data"]
        self.assertIn("conflict", [each["reason"] for each in listed])
        self.assertIn("conflict", self.expect(FINE, "quarantine", "list").stdout)

    def test_a_dry_run_needs_no_daemon_and_leaves_nothing(self):
        path = self.file("dry.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.5,7,2\nx,1,2\n")
        report = self.report(PARTIAL, "import", "azure-llm", path, "--dry-run", server="http://127.0.0.1:1")
        self.assertEqual(report["preview"][0]["event"]["tokens"]["input_uncached"], 7)
        self.assertEqual(report["preview"][1]["reason"], "bad_time")
        self.assertFalse(pathlib.Path(f"{path}.rejected.jsonl").exists())

    def test_a_shift_is_part_of_the_ids_and_can_be_repeated(self):
        path = self.file("code.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.5,7,2\n")
        self.report(FINE, "import", "azure-llm", path)
        shifted = self.report(FINE, "import", "azure-llm", path, "--shift-to-now")
        self.assertEqual(shifted["files"][0]["applied"], 1)
        again = self.report(FINE, "import", "azure-llm", path, "--shift-us", shifted["shift_us"])
        self.assertEqual(again["files"][0]["duplicates"], 1)

    def test_a_map_or_file_that_does_not_fit_is_refused_before_anything_is_sent(self):
        path = self.file("other.csv", "a,b\n1,2\n")
        done = self.expect(BAD_DATA, "import", "azure-llm", path)
        self.assertIn("TIMESTAMP", done.stderr)
        bad_map = self.file("bad.toml", "[source]\nname = 'x'\n")
        self.assertIn("event.type", self.expect(USAGE, "import", "csv", path, "--map", bad_map).stderr)
        self.expect(BAD_DATA, "import", "azure-llm", self.folder / "nowhere.csv")

    # --- emit

    def test_the_demo_events_are_all_applied_once(self):
        events = DATA / "demo" / "events.ndjson"
        count = len(events.read_text().splitlines())
        self.assertEqual(self.report(FINE, "emit", "--ndjson", events)["applied"], count)
        self.assertEqual(self.report(FINE, "emit", "--ndjson", events)["duplicates"], count)

    def test_an_event_by_flags_counts_and_shows_in_the_log(self):
        self.report(FINE, "emit", "--type", "TurnRecorded", "--user", "ada", "--set", "status=success", "--set",
                    "tokens.output=12")
        (row,) = self.report(FINE, "users")["data"]
        self.assertEqual((row["user"], row["output_tokens"]), ("ada", 12))
        done = self.expect(FINE, "events", "tail", "-n", "1", "--json")
        record = json.loads(done.stdout)
        self.assertEqual((record["event"]["tenant"], record["event"]["user"]), (self.tenant, "ada"))
        self.assertIn("TurnRecorded", self.expect(FINE, "events", "tail").stdout)

    def test_standard_input_may_be_lines_or_one_value(self):
        event = {"type": "SessionEnded", "user": "ada", "session": "s"}
        lines = "".join(json.dumps({**event, "key": f"k{i}", "event_time": 1}) + "\n" for i in range(3))
        self.assertEqual(self.report(FINE, "emit", text=lines)["applied"], 3)
        self.assertEqual(self.report(FINE, "emit", text=json.dumps(event, indent=2))["applied"], 1)
        self.assertEqual(self.report(FINE, "emit", "-", text=json.dumps([event, event], indent=1))["applied"], 2)
        self.assertEqual(self.report(FINE, "emit", json.dumps(event))["applied"], 1)

    def test_the_exit_code_tells_none_from_some(self):
        good = '{"type":"SessionEnded","user":"ada","session":"s"}'
        bad = '{"type":"SessionEnded","user":"ada"}'
        report = self.report(BAD_DATA, "emit", bad)
        self.assertEqual((report["refused"], report["refusals"][0]["reason"]), (1, "missing_field"))
        self.assertEqual(self.report(PARTIAL, "emit", text=f"{good}\n{bad}\n{{oops\n")["bad"], 1)
        self.expect(BAD_DATA, "emit", text="oops\n")
        self.expect(BAD_DATA, "emit", "--ndjson", self.folder / "nowhere.ndjson")

    # --- limits

    WHO = ("--who", "root", "--why", "a test")

    def set_limit(self, *flags, code=FINE):
        return self.report(code, "limits", "set", *flags, *self.WHO)

    def overrides(self):
        rows = self.report(FINE, "limits", "overrides")["data"]
        return {row["user"]: {(each["meter"], each["window"]): each["cap"] for each in row["limits"]} for row in rows}

    def test_one_limit_is_set_and_those_beside_it_stay(self):
        self.expect(FINE, "limits", "override", "--user", "ann", "--limit", "requests/rolling_hour=7", "--limit",
                    "searches/day=none", *self.WHO)
        hourly = ("--user", "ann", "--meter", "requests", "--window", "rolling_hour")
        first = self.set_limit(*hourly, "--cap", "0", "--mode", "soft", "--when-unavailable", "allow")
        self.assertEqual((first["level"], first["before"]["cap"], first["after"]["cap"]), ("user_override", 7, 0))
        self.expect(FINE, "check", "--user", "ann", "--amount", "requests=1")  # soft lets through
        second = self.set_limit(*hourly, "--cap", "2", "--mode", "hard")
        self.assertEqual((second["before"]["mode"], second["before"]["cap"]), ("soft", 0))
        self.assertEqual(second["after"]["when_unavailable"], "allow")  # what is not said stays
        self.set_limit("--user", "ann", "--meter", "bytes", "--window", "gauge", "--cap", 2**60)
        self.assertEqual(self.overrides(), {"ann": {("requests", "rolling_hour"): 2, ("searches", "day"): None,
                                                    ("bytes", "gauge"): str(2**60)}})
        shown = self.report(FINE, "limits", "show", "--user", "ann")["limits"]
        self.assertEqual([(each["cap"], each["level"]) for each in shown],
                         [(2, "user_override"), (str(2**60), "user_override")])
        self.expect(1, "check", "--user", "ann", "--amount", "requests=3")
        shown = self.expect(FINE, "limits", "set", *hourly, "--cap", "none", *self.WHO).stdout
        self.assertRegex(shown, r"^user_override: requests/rolling_hour was 2, is no limit, in force since position p")

    def test_a_limit_goes_where_it_is_said_of_whom_it_is(self):
        places = [(["--every-user"], "tenant_override"), (["--user", "ann"], "user_override"), ([], "tenant_quota"),
                  (["--project", "docs"], "project_quota"),
                  (["--project", "docs", "--user", "ann"], "user_project_quota"),
                  (["--project", "docs", "--collection", "c"], "collection_quota")]
        for cap, (whose, level) in enumerate(places):
            for again in (cap, cap + 10):
                report = self.set_limit(*whose, "--meter", "searches", "--window", "day", "--cap", again)
                self.assertEqual(report["level"], level)
            self.assertEqual(report["before"]["cap"], cap)
        quotas = self.report(FINE, "quotas", "list")["quotas"]
        self.assertEqual({quota["level"]: (quota["user"], quota["project"], quota["collection"],
                                           quota["limits"][0]["cap"]) for quota in quotas},
                         {"tenant": ("", "", "", 12), "project": ("", "docs", "", 13),
                          "user_project": ("ann", "docs", "", 14), "collection": ("", "docs", "c", 15)})
        self.assertEqual(self.overrides(), {"": {("searches", "day"): 10}, "ann": {("searches", "day"): 11}})
        shown = self.expect(FINE, "limits", "overrides").stdout
        self.assertRegex(shown, r"every user +searches/day=10 +root +a test\n")

    def test_a_limit_that_is_removed_lets_through_again(self):
        whose = ("--user", "ann", "--meter", "requests", "--window", "rolling_hour")
        done = self.expect(BAD_DATA, "limits", "set", *whose, "--remove", *self.WHO)
        self.assertIn("stands in the user_override", done.stderr)
        self.set_limit(*whose, "--cap", "0")
        self.expect(1, "check", "--user", "ann", "--amount", "requests=1")
        removed = self.set_limit(*whose, "--remove")
        self.assertEqual((removed["before"]["cap"], removed["after"]), (0, None))
        self.expect(FINE, "check", "--user", "ann", "--amount", "requests=1")
        self.assertIn("nothing is overridden", self.expect(FINE, "limits", "overrides").stdout)

    def test_a_preview_of_a_limit_sets_none(self):
        for flag in ("--preview", "--dry-run"):
            report = self.set_limit("--user", "ann", "--meter", "requests", "--window", "day", "--cap", "0", flag)
            self.assertEqual((report["preview"], report["before"], report["after"]["cap"]), (True, None, 0))
            self.assertNotIn("position", report)
        self.assertEqual(self.overrides(), {})

    def test_what_is_no_limit_is_said_before_the_daemon_is_asked(self):
        day = ("--meter", "requests", "--window", "day")
        for flags, words in ((("--meter", "request", "--window", "day", "--cap", "1"), "'request' is none"),
                             (("--meter", "requests", "--window", "fortnight", "--cap", "1"), "'fortnight' is none"),
                             (("--meter", "vectors", "--window", "day", "--cap", "1"), "--window gauge"),
                             (("--meter", "requests", "--window", "gauge", "--cap", "1"), "gauge is for vectors"),
                             (day, "--cap or --remove"), ((*day, "--cap", "1", "--remove"), "--cap or --remove"),
                             ((*day, "--cap", "-1"), "'-1' is none"), ((*day, "--cap", "many"), "'many' is none"),
                             ((*day, "--cap", "1", "--mode", "firm"), "--mode"),
                             (("--cap", "1"), "--meter is required"),
                             ((*day, "--cap", "1", "--collection", "c"), "say --project"),
                             ((*day, "--cap", "1", "--every-user", "--user", "ann"), "--every-user"),
                             ((*day, "--cap", "1", "--collection", "c", "--project", "d", "--user", "e"), "--user")):
            done = self.expect(USAGE, "limits", "set", *flags, *self.WHO, server="http://127.0.0.1:1")
            self.assertIn(words, done.stderr, flags)
        self.expect(UNREACHABLE, "limits", "set", *day, "--cap", "1", *self.WHO, server="http://127.0.0.1:1")
        self.assertIn("2^60", self.expect(USAGE, "limits", "set", *day, "--cap", 2**60 + 1, *self.WHO).stderr)
        self.assertIn("--why", self.expect(USAGE, "limits", "set", *day, "--cap", "1", "--who", "root").stderr)

    def test_a_profile_is_deleted_once_nobody_has_it(self):
        self.expect(FINE, "profiles", "set", "Team", "--limit", "requests/day=5", *self.WHO)
        self.expect(FINE, "profiles", "assign", "Team", "--user", "ann", *self.WHO)
        self.assertIn("somebody has this profile: give them another one first",
                      self.expect(BAD_DATA, "profiles", "delete", "Team", *self.WHO).stderr)
        self.expect(FINE, "profiles", "assign", "Pro", "--from-profile", "Team", *self.WHO)
        self.assertIn("position", self.report(FINE, "profiles", "delete", "Team", *self.WHO))
        names = [profile["name"] for profile in self.report(FINE, "profiles", "list")["profiles"]]
        self.assertEqual(names, ["Free", "Pro", "Enterprise", "Unlimited"])

    # --- the rest

    def test_the_whole_log_is_read_from_its_beginning(self):
        self.report(FINE, "emit", "--ndjson", DATA / "demo" / "events.ndjson")
        page = self.report(FINE, "events", "tail", "-n", "1")
        partition = self.report(FINE, "emit", "--ndjson", DATA / "demo" / "events.ndjson")["position"].split(".")[0]
        self.assertIsInstance(page, dict)
        done = self.expect(FINE, "events", "tail", "--position", f"{partition}.0", "--json")
        records = [json.loads(line) for line in done.stdout.splitlines()]
        offsets = [int(record["offset"]) for record in records]
        self.assertEqual(offsets, sorted(set(offsets)))
        mine = [record for record in records if (record["event"] or {}).get("tenant") == self.tenant]
        self.assertEqual(len(mine), 2 * 639)

    def test_wrong_usage_is_told_from_a_daemon_that_is_away(self):
        for arguments in ([], ["frobnicate"], ["import"], ["users", "--order", "up"], ["users", "--sort", "colour"],
                          ["emit", "--type", "Genesis"], ["emit", "--user", "ada"], ["emit", "{}", "--type", "Tick"]):
            self.expect(USAGE, *arguments)
        for arguments in (["users"], ["quarantine", "list"], ["events", "tail"],
                          ["emit", '{"type":"SessionEnded","user":"a","session":"s"}']):
            done = self.expect(UNREACHABLE, *arguments, server="http://127.0.0.1:1")
            self.assertIn("http://127.0.0.1:1", done.stderr)

    def test_the_program_says_its_version(self):
        self.assertRegex(self.expect(FINE, "--version").stdout, r"^odometer \d+\.\d+\.\d+")

    def test_every_verb_has_help_with_examples(self):
        for verb in (["import", "azure-llm"], ["import", "jsonl"], ["import", "csv"], ["emit"], ["events", "tail"],
                     ["users"], ["quarantine", "list"], ["limits", "set"]):
            self.assertIn("Examples:", self.expect(FINE, *verb, "--help").stdout)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        BIN = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
