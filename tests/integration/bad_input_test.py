#!/usr/bin/env python3
"""What a daemon answers to bad input: clearly, with a line in its log, a counter that moves, and nothing lost.

    python3 tests/integration/bad_input_test.py --bin build/release/bin
"""

import base64
import contextlib
import datetime
import json
import pathlib
import struct
import unittest
import urllib.parse
import uuid

import harness
from harness import turn

MAX = 2**63 - 1
# What counts trouble. Of requests, only those that were not answered well.
COUNTERS = ("odometer_events_refused_total", "odometer_records_quarantined_total", "odometer_append_errors_total",
            "odometer_events_clock_ahead_total", "odometer_http_requests_total")
# What becomes of a record.
BECAME = ("odometer_records_applied_total", "odometer_records_duplicate_total", "odometer_records_quarantined_total")
POSTED = ("odometer_http_requests_total", "/v1/events", "POST")


def refused(reason, count=1):
    return {("odometer_events_refused_total", reason): count}


def quarantined(reason, partition, count=1):
    return {("odometer_records_quarantined_total", str(partition), reason): count}


def requests(route, method, status):
    return {("odometer_http_requests_total", route, method, str(status)): 1}


class BadInputTest(unittest.TestCase):
    """One daemon for all tests of a class; each test has a tenant of its own."""

    ARGUMENTS = ("--log-partitions", "2", "--raw-records")

    @classmethod
    def setUpClass(cls):
        cls.cleanup = contextlib.ExitStack()
        cls.addClassCleanup(cls.cleanup.close)
        cls.folder = cls.cleanup.enter_context(harness.Folder())
        cls.daemon = harness.Daemon(cls.folder / "data", *cls.ARGUMENTS)
        cls.cleanup.callback(cls.daemon.close)

    @classmethod
    def tearDownClass(cls):
        code, report = harness.audit(cls.folder / "data", cls.folder / "audit")
        assert (code, report.get("drift")) == (0, 0), report
        assert cls.daemon.stop() == 0, cls.daemon.text()

    def setUp(self):
        self.tenant = self.id().rsplit(".", 1)[1]
        self.good = 0
        self.send_good()

    def tearDown(self):
        """Nothing was lost: what was good before and after the bad is there, and every record is accounted for."""
        self.send_good()
        self.assertEqual(self.daemon.summary("good", self.tenant).json["turns"], self.good)
        metrics = self.daemon.metrics()
        for partition in map(str, range(2)):
            seen = sum(value for key, value in metrics.samples.items() if key[1:2] == (partition,) and key[0] in BECAME)
            self.assertEqual(metrics["odometer_cursor", partition] - metrics["odometer_start", partition], seen)
            self.assertEqual(metrics["odometer_log_end_offset", partition], metrics["odometer_cursor", partition])

    def send_good(self):
        answer = self.daemon.post(turn(f"good-{self.good}", user="good"), self.tenant)
        self.assertEqual(answer.json["outcomes"]["applied"], 1, answer)
        self.good += 1

    @property
    def partition(self):
        """Where this test's tenant lives."""
        position = self.daemon.summary("good", self.tenant).json["as_of"]["position"]
        return int(position[1:].split(".")[0])

    def expect(self, act, counters, line=None):
        """Does it; just these counters move, by so much, and the log has one more line with these words."""
        before = self.daemon.metrics()
        lines = len(self.daemon.lines())
        answer = act()
        moved = self.daemon.metrics().moved_from(before, COUNTERS)
        troubled = {key: by for key, by in moved.items() if key[0] != POSTED[0] or key[-1] >= "400"}
        self.assertEqual(troubled, counters, answer)
        written = self.daemon.lines()[lines:]
        self.assertEqual(len(written), 1 if line else 0, (written, answer))
        if line:
            for words in [line] if isinstance(line, str) else line:
                self.assertIn(words, written[0])
        return answer

    def assert_problem(self, answer, status, kind, *words):
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(answer.json["type"], "urn:odometer:problem:" + kind)
        for each in words:
            self.assertIn(each, answer.json["detail"])

    def refuse(self, reason, event, field=None, words="", body=None):
        """Posts one event that is refused at the door for this reason, and gives the item's answer."""
        answer = self.expect(lambda: self.daemon.post(body if body is not None else event, self.tenant),
                             {**refused(reason), **requests("/v1/events", "POST", 422)},
                             f"events refused reason={reason} count=1")
        self.assertEqual((answer.status, answer.json["accepted"], answer.json["refused"]), (422, 0, 1), answer)
        item, = answer.json["items"]
        self.assertEqual((item["status"], item["reason"]), ("refused", reason), answer)
        if field is not None:
            self.assertEqual(item["field"], field)
        self.assertTrue(item["message"])
        self.assertIn(words, item["message"])
        return item

    def refuse_request(self, status, kind, words, act, route="/v1/events", method="POST"):
        where = f"method={method} route={route}"
        answer = self.expect(act, requests(route, method, status),
                             [f"request refused status={status} kind={kind} {where}"])
        self.assert_problem(answer, status, kind, words)
        request_id = answer.json["request_id"]
        self.assertEqual(len(self.daemon.lines(f"request_id={request_id} ")), 1,
                         "the line and the answer have one request_id")
        return answer

    def taken(self, events, query="?wait=folded&wait_ms=30000"):
        """Posts what is applied, each of it."""
        answer = self.daemon.post(events, self.tenant, query)
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(answer.json["outcomes"]["applied"], len(events) if isinstance(events, list) else 1, answer)
        return answer


class Values(BadInputTest):
    def test_negative_tokens_are_refused(self):
        self.refuse("negative_amount", turn("a", tokens=-1), "tokens.input_uncached")

    def test_two_to_the_63_is_refused_as_a_number_and_as_a_text(self):
        for amount in (2**63, str(2**63)):
            self.refuse("number_out_of_range", turn("a", tokens=amount), "tokens.input_uncached", "64 bits")

    def test_a_number_of_a_hundred_digits_is_refused(self):
        self.refuse("number_out_of_range", turn("a", tokens=10**99), "tokens.input_uncached")

    def test_two_to_the_53_plus_1_counts_exactly_as_a_number_and_as_a_text(self):
        amount = 2**53 + 1
        for key, value in (("number", amount), ("text", str(amount))):
            self.expect(lambda: self.taken(turn(key, user=key, tokens=value)), {})
            shown = self.daemon.summary(key, self.tenant).json["input_tokens"]
            self.assertEqual(shown, str(amount), "beyond 2^53 a figure is a text of its digits")

    def test_the_greatest_amount_is_taken_as_it_is(self):
        alone = self.tenant + ", alone"  # or the tenant's own sum would overflow
        answer = self.daemon.post(turn("a") | {"tokens": {"input_uncached": MAX}}, alone)
        self.assertEqual(answer.json["outcomes"]["applied"], 1, answer)
        self.assertEqual(self.daemon.summary("ana", alone).json["total_tokens"], str(MAX))

    def test_a_fraction_or_an_exponent_where_an_integer_belongs_is_refused(self):
        for text in (b"1.5", b"1.0", b"1e3"):
            body = json.dumps(turn("a", tokens=0)).encode().replace(b'"input_uncached": 0',
                                                                    b'"input_uncached": ' + text)
            self.refuse("wrong_type", None, "tokens.input_uncached", "whole number", body)

    def test_a_sum_that_overflows_sets_the_second_event_aside_and_leaves_the_first_intact(self):
        near = MAX - 1000  # the tenant's other turns fit beside it
        self.taken(turn("first") | {"tokens": {"input_uncached": near}})
        before = self.daemon.summary("ana", self.tenant).json
        answer = self.expect(lambda: self.daemon.post(turn("second") | {"tokens": {"input_uncached": near}},
                                                      self.tenant),
                             quarantined("overflow", self.partition), "quarantined reason=overflow")
        self.assertEqual((answer.status, answer.json["outcomes"]["quarantined"]), (202, 1), answer)
        self.assertEqual(answer.json["items"][0]["reason"], "overflow")
        after = self.daemon.summary("ana", self.tenant).json
        self.assertEqual((after["total_tokens"], after["turns"], after["events"]), (str(near), 1, before["events"]))
        self.taken(turn("third") | {"tokens": {"input_uncached": 900}})
        self.assertEqual(self.daemon.summary("ana", self.tenant).json["total_tokens"], str(near + 900))

    def test_a_turn_whose_own_tokens_overflow_changes_nothing(self):
        answer = self.expect(lambda: self.daemon.post(turn("a") | {"tokens": {"input_uncached": MAX, "output": 1}},
                                                      self.tenant),
                             quarantined("overflow", self.partition), "quarantined reason=overflow")
        self.assertEqual(answer.json["outcomes"]["quarantined"], 1, answer)
        self.assertEqual(self.daemon.summary("ana", self.tenant).status, 404)

    def test_more_reasoning_than_output_is_refused(self):
        self.refuse("inconsistent_amounts", turn("a") | {"tokens": {"output": 1, "reasoning": 2}})


class Texts(BadInputTest):
    def test_a_user_of_300_bytes_is_refused_and_one_of_256_is_taken(self):
        self.refuse("text_too_long", turn("a", user="u" * 300), "user", "256")
        self.taken(turn("b", user="u" * 256))
        self.assertEqual(self.daemon.summary("u" * 256, self.tenant).json["turns"], 1)

    def test_bytes_count_and_not_letters(self):
        self.refuse("text_too_long", turn("a", user="ü" * 129), "user")
        self.taken(turn("b", user="ü" * 128))

    def test_a_body_that_is_not_utf8_is_refused_whole(self):
        body = json.dumps([turn("a"), turn("b", user="BAD")]).encode().replace(b"BAD", b"\xff\xfe")
        self.refuse_request(400, "bad-request", "malformed JSON", lambda: self.daemon.post(body, self.tenant))
        self.assertEqual(self.daemon.summary("ana", self.tenant).status, 404)

    def test_a_line_that_is_not_utf8_is_refused_and_the_others_are_taken(self):
        good = json.dumps(turn("a")).encode()
        bad = good.replace(b'"ana"', b'"\xc3\x28"')
        answer = self.expect(lambda: self.daemon.post(good + b"\n" + bad + b"\n", self.tenant,
                                                      kind="application/x-ndjson"),
                             refused("malformed_json"), "events refused reason=malformed_json count=1")
        self.assertEqual((answer.status, answer.json["accepted"], answer.json["refused"]), (202, 1, 1), answer)
        self.assertEqual(self.daemon.summary("ana", self.tenant).json["turns"], 1)

    def test_half_of_a_surrogate_pair_is_not_taken_for_text(self):
        body = json.dumps(turn("a")).encode().replace(b'"ana"', b'"\\ud800"')
        before = self.daemon.metrics()
        lines = len(self.daemon.lines())
        answer = self.daemon.post(body, self.tenant)
        self.assertIn(answer.status, (400, 422), answer)
        self.assertEqual(len(self.daemon.lines()), lines + 1)
        self.assertEqual(self.daemon.metrics().total("odometer_log_end_offset"),
                         before.total("odometer_log_end_offset"))

    def test_metadata_above_4_kib_is_refused(self):
        self.refuse("text_too_long", turn("a", metadata={"x": "y" * 4096}), "metadata")


class Shapes(BadInputTest):
    def test_malformed_json_is_refused_with_the_byte_where_it_breaks(self):
        good = json.dumps(turn("a")).encode()
        self.refuse_request(400, "bad-request", f"malformed JSON at byte {1 + len(good)}",
                            lambda: self.daemon.post(b"[" + good + b"1]", self.tenant))
        for body in (good[:-1], b'{"type":', b"nonsense", good + b"x"):
            self.refuse_request(400, "bad-request", "malformed JSON at byte ",
                                lambda: self.daemon.post(body, self.tenant))
        self.assertEqual(self.daemon.summary("ana", self.tenant).status, 404)

    def test_a_line_that_is_not_json_is_refused_and_the_others_are_taken(self):
        lines = [json.dumps(turn("a")), '{"type":', json.dumps(turn("b"))]
        answer = self.expect(lambda: self.daemon.post("\n".join(lines).encode(), self.tenant,
                                                      kind="application/x-ndjson"),
                             refused("malformed_json"), "events refused reason=malformed_json count=1")
        self.assertEqual([item["status"] for item in answer.json["items"]], ["accepted", "refused", "accepted"])
        self.assertEqual(self.daemon.summary("ana", self.tenant).json["turns"], 2)

    def test_an_unknown_type_is_refused(self):
        self.refuse("unknown_type", turn("a") | {"type": "TurnRecordedd"}, "type")

    def test_an_event_without_a_type_is_refused(self):
        self.refuse("missing_field", {"user": "ana"}, "type")

    def test_an_unknown_field_is_refused_with_the_names_that_are_known(self):
        self.refuse("unknown_field", turn("a", uesr="ana"), "uesr", "user")
        self.refuse("unknown_field", turn("a") | {"tokens": {"input": 1}}, "tokens.input", "input_uncached")

    def test_a_field_given_twice_is_refused(self):
        body = json.dumps(turn("a")).encode().replace(b'"user": "ana"', b'"user": "ana", "user": "bob"')
        self.refuse("duplicate_field", None, "user", "once", body)

    def test_a_bad_event_is_refused_by_itself_and_those_beside_it_count(self):
        before = self.daemon.metrics()
        answer = self.daemon.post([turn("a"), {"type": "Nothing"}, turn("b", tokens=-1), turn("c")], self.tenant)
        self.assertEqual([item["status"] for item in answer.json["items"]],
                         ["accepted", "refused", "refused", "accepted"])
        moved = self.daemon.metrics().moved_from(before, ["odometer_events_refused_total"])
        self.assertEqual(moved, {**refused("unknown_type"), **refused("negative_amount")})
        self.assertEqual(self.daemon.summary("ana", self.tenant).json["turns"], 2)

    def test_an_empty_interaction_batch_is_refused(self):
        self.refuse("empty_batch", {"type": "InteractionBatch", "key": "a", "event_time": 1700158623000000,
                                    "items": []}, "items")

    def test_a_body_without_an_event_is_refused(self):
        self.refuse_request(400, "bad-request", "holds no event", lambda: self.daemon.post([], self.tenant))
        self.refuse_request(400, "bad-request", "empty", lambda: self.daemon.post(b"", self.tenant))

    def test_a_batch_of_101_interactions_is_refused(self):
        item = {"user": "ana", "kind": "chat", "status": "completed"}
        self.refuse("batch_too_large", {"type": "InteractionBatch", "items": [item] * 101}, "items", "100")

    def test_a_body_of_5_mib_is_413_and_nothing_of_it_is_read(self):
        events = [turn(f"a{i}", metadata={"padding": "x" * 3000}) for i in range(1700)]
        body = json.dumps(events).encode()
        self.assertGreater(len(body), 5 << 20)
        answer = self.expect(lambda: self.daemon.post(body, self.tenant), requests("", "other", 413),
                             "request refused status=413 kind=too-large")
        self.assert_problem(answer, 413, "too-large", "too long")
        self.assertEqual(self.daemon.summary("ana", self.tenant).status, 404)

    def test_1001_events_are_refused_whole_and_1000_are_taken(self):
        events = [turn(f"a{i}") for i in range(1001)]
        self.refuse_request(400, "bad-request", "more than 1000 events", lambda: self.daemon.post(events, self.tenant))
        self.assertEqual(self.daemon.summary("ana", self.tenant).status, 404)
        self.taken(events[:1000])

    def test_a_key_without_a_time_is_refused(self):
        event = turn("a")
        del event["event_time"]
        self.refuse("missing_field", event, "event_time", "retry")

    def test_a_time_before_1970_or_after_9999_is_refused(self):
        for time in (-1, 300_000_000_000_000_000, "1969-12-31T23:59:59Z"):
            self.refuse("time_range", turn("a") | {"event_time": time}, "event_time")

    def test_a_tenant_that_is_not_the_requests_is_refused(self):
        self.refuse("wrong_tenant", turn("a", tenant="another"), "tenant")

    def test_the_same_key_with_other_content_is_set_aside_and_the_first_stands(self):
        self.taken(turn("a", tokens=5))
        answer = self.expect(lambda: self.daemon.post(turn("a", tokens=6), self.tenant),
                             quarantined("conflict", self.partition),
                             "quarantined reason=conflict")
        self.assertEqual(answer.json["items"][0]["reason"], "conflict", answer)
        self.assertEqual(self.daemon.summary("ana", self.tenant).json["input_tokens"], 5)


class Doors(BadInputTest):
    def test_odometers_own_types_are_refused_by_name(self):
        for name in ("Genesis", "Tick", "GapReported", "LimitCrossed"):
            self.refuse("wrong_door", {"type": name}, "type")

    def test_types_that_are_reserved_are_refused_by_name(self):
        for name in ("PriceSet", "EventVoided", "PeriodClosed"):
            self.refuse("unknown_type", {"type": name, "user": "ana"}, "type")

    def test_an_ask_without_amounts_is_refused(self):
        for name in ("AdmitAsked", "HoldAsked", "LeaseAsked"):
            self.refuse("missing_field", {"type": name, "user": "ana"}, "amounts")

    def test_the_stamp_of_an_sdk_is_refused(self):
        self.refuse("unknown_field", turn("a", producer={"id": str(uuid.uuid4()), "epoch": 1, "slot": 1, "seq": 1}),
                    "producer")

    def test_another_media_type_is_415(self):
        self.refuse_request(415, "unsupported-media-type", "application/json",
                            lambda: self.daemon.post(b"a=1", self.tenant, kind="application/x-www-form-urlencoded"))

    def test_an_unknown_parameter_is_refused_by_name_and_its_name_stays_out_of_the_log(self):
        self.refuse_request(400, "unknown-parameter", "uesr",
                            lambda: self.daemon.get("/v1/consumption/summary?user=ana&uesr=secret", self.tenant),
                            "/v1/consumption/summary", "GET")
        self.assertEqual(self.daemon.lines("uesr") + self.daemon.lines("secret"), [])

    def test_a_missing_user_is_refused_by_name(self):
        self.refuse_request(400, "bad-request", "'user' is missing",
                            lambda: self.daemon.get("/v1/consumption/summary", self.tenant),
                            "/v1/consumption/summary", "GET")

    def test_a_user_of_300_bytes_is_no_user_to_read(self):
        self.refuse_request(400, "bad-request", "256 bytes", lambda: self.daemon.summary("u" * 300, self.tenant),
                            "/v1/consumption/summary", "GET")

    def test_a_user_that_was_never_seen_is_404_without_a_line(self):
        answer = self.expect(lambda: self.daemon.summary("nobody", self.tenant),
                             requests("/v1/consumption/summary", "GET", 404))
        self.assert_problem(answer, 404, "not-found", "never seen")

    def test_a_broken_cursor_is_refused(self):
        self.taken([turn(f"a{i}", user=f"user{i}") for i in range(3)])
        cursor = self.daemon.get("/v1/consumption/users?limit=1", self.tenant).json["next_cursor"]
        users = "/v1/consumption/users?limit=1&cursor="
        for broken in (cursor[:-2], "x" + cursor, "nonsense"):
            self.refuse_request(400, "bad-request", "cursor",
                                lambda: self.daemon.get(users + urllib.parse.quote(broken), self.tenant),
                                "/v1/consumption/users", "GET")
        self.refuse_request(400, "bad-request", "another listing",
                            lambda: self.daemon.get(f"/v1/consumption/users?limit=1&sort=cost&cursor={cursor}",
                                                    self.tenant),
                            "/v1/consumption/users", "GET")

    def test_an_unknown_route_is_404_and_a_wrong_method_405(self):
        self.refuse_request(404, "unknown-route", "openapi.yaml", lambda: self.daemon.get("/v1/event", self.tenant),
                            "", "GET")
        answer = self.refuse_request(405, "method-not-allowed", "POST",
                                     lambda: self.daemon.get("/v1/events", self.tenant), "/v1/events", "GET")
        self.assertEqual(answer.headers["Allow"], "POST")

    def test_a_tenant_of_300_bytes_is_refused(self):
        self.refuse_request(400, "bad-request", "Odometer-Tenant", lambda: self.daemon.post(turn("a"), "t" * 300))

    def test_a_broken_target_is_refused(self):
        for target, words in (("/v1/consumption/summary?user=%zz", "hex"),
                              ("/v1/consumption/summary?user=%ff", "UTF-8")):
            self.refuse_request(400, "bad-request", words, lambda: self.daemon.get(target, self.tenant), "", "GET")

    def test_a_head_that_is_not_http_is_refused(self):
        def head_too_long():
            return self.daemon.request("GET", "/livez", headers={"X": "x" * 20000})
        answer = self.expect(head_too_long, requests("", "other", 431),
                             "request refused status=431 kind=headers-too-large")
        self.assert_problem(answer, 431, "headers-too-large", "too long")


class Times(BadInputTest):
    def test_a_time_a_year_ahead_counts_now_and_is_counted_as_ahead(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        ahead = (now + datetime.timedelta(days=365)).isoformat()
        self.expect(lambda: self.taken(turn("a") | {"event_time": ahead}), {("odometer_events_clock_ahead_total",): 1},
                    "events ahead of the clock count=1")
        summary = self.daemon.summary("ana", self.tenant).json
        self.assertEqual((summary["turns"], summary["requests_last_24h"], summary["period"]["turns"]), (1, 1, 1),
                         summary)
        self.assertLessEqual(datetime.datetime.fromisoformat(summary["last_use"]) - now, datetime.timedelta(minutes=10))
        self.assertEqual(self.daemon.get("/v1/consumption/system-summary", self.tenant).json["clock_ahead_events"], 1)
        row, = self.daemon.get("/v1/consumption/turns?user=ana", self.tenant).json["data"]
        self.assertEqual(row["placed_at"], row["append_time"])
        self.assertEqual(datetime.datetime.fromisoformat(row["event"]["event_time"]),
                         datetime.datetime.fromisoformat(ahead))

    def test_an_amendment_of_an_unknown_turn_counts_as_a_row_of_its_own_until_its_turn_comes(self):
        late = turn("late", tokens=100, session="s9")
        listed = self.daemon.post([turn(f"a{i}", tokens=i) for i in range(20)], self.tenant).json["items"]

        def amend(key, of, delta):
            return {"type": "TurnAmended", "key": key, "event_time": "2023-11-17T00:00:00Z",
                    "tokens_delta": {"output": delta},
                    "original": {"id": of, "event_time": late["event_time"], "user": "ana", "session": "s1"}}

        unknown = derived_id("late")
        before = self.daemon.metrics()
        self.expect(lambda: self.taken([amend("m1", listed[3]["id"], 50), amend("m2", unknown, 7),
                                        amend("m3", unknown, -2)]), {})
        moved = self.daemon.metrics().moved_from(before, ["odometer_records_applied_total"])
        self.assertEqual(moved, {("odometer_records_applied_total", str(self.partition), "TurnAmended"): 3})
        rows = self.assert_rows_sum_to_the_total()
        self.assertEqual(sorted(row["output_tokens"] for row in rows if row["unmatched"]), [-2, 7])
        self.assertEqual(sum(row["amended"] for row in rows), 1)
        self.assertEqual(self.taken(late).json["items"][0]["id"], unknown)
        rows = self.assert_rows_sum_to_the_total()
        self.assertEqual([row for row in rows if row["unmatched"]], [])
        amended, = [row for row in rows if row["event"].get("id") == unknown]
        self.assertEqual((amended["amended"], amended["total_tokens"], len(amended["amendments"])), (True, 106, 2))

    def assert_rows_sum_to_the_total(self):
        rows, cursor = [], ""
        while cursor is not None:
            at = f"&cursor={cursor}" if cursor else ""
            page = self.daemon.get("/v1/consumption/turns?user=ana&limit=7" + at, self.tenant).json
            rows, cursor = rows + page["data"], page["next_cursor"]
        self.assertEqual(len(rows), page["total_count"])
        summary = self.daemon.summary("ana", self.tenant).json
        for figure in ("total_tokens", "input_tokens", "output_tokens"):
            self.assertEqual(sum(int(row[figure]) for row in rows), int(summary[figure]), figure)
        return rows


def derived_id(key, source="api"):
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_DNS, source), key))


class RawRecords(BadInputTest):
    def append(self, *records, partition=None):
        """Appends records as they are, None for a null payload; waits until they are folded."""
        partition = self.partition if partition is None else partition
        sizes = [0xFFFFFFFF if record is None else len(record) for record in records]
        body = b"".join(struct.pack("<I", size) + (record or b"") for size, record in zip(sizes, records))
        answer = self.daemon.request("POST", f"/v1/admin/records?partition={partition}", body)
        self.assertEqual((answer.status, answer.json["appended"]), (202, len(records)), answer)
        folded = self.daemon.get(f"/v1/admin/quarantine?wait_ms=30000&min_position={answer.json['position']}")
        self.assertEqual(folded.status, 200, folded)
        return answer

    def newest(self, partition):
        """The bytes of the newest record; log/segment.h has the form of a frame."""
        segment, = pathlib.Path(self.folder / "data" / "log" / f"p{partition:05}").glob("*.seg")
        data, position, payload = segment.read_bytes(), 64, b""
        while any(data[position:position + 24]):  # zeros: room
            length = struct.unpack_from("<I", data, position)[0] & 0x1FFFFFFF
            payload = data[position + 24:position + 24 + length]
            position += 24 + length + 7 & ~7
        return payload

    def set_aside(self, reason, record, partition=None):
        """Appends a record that is quarantined for this reason, and finds it there."""
        where = self.partition if partition is None else partition
        answer = self.expect(lambda: self.append(record, partition=where), quarantined(reason, where),
                             [f"partition={where} offset=", f"quarantined reason={reason}"])
        offset = answer.json["first_offset"]
        rows = self.daemon.get(f"/v1/admin/quarantine?partition={where}&limit=500").json["data"]
        row, = [row for row in rows if row["offset"] == offset]
        self.assertEqual((row["reason"], row["null_payload"], row["size_bytes"]),
                         (reason, record is None, len(record or b"")))
        self.assertEqual(base64.b64decode(row["bytes_base64"]), (record or b"")[:4096])

    def test_a_record_of_a_tenant_of_another_partition_is_set_aside_as_misplaced(self):
        self.taken(turn("a", user="traveller"))
        elsewhere = 1 - self.partition
        self.set_aside("misplaced", self.newest(self.partition), elsewhere)
        self.assertEqual(self.daemon.summary("traveller", self.tenant).json["turns"], 1)

    def test_the_same_record_where_it_belongs_is_a_duplicate(self):
        self.taken(turn("a", user="traveller"))
        before = self.daemon.metrics()
        self.append(self.newest(self.partition))
        moved = self.daemon.metrics().moved_from(before, ["odometer_records_duplicate_total"])
        self.assertEqual(moved, {("odometer_records_duplicate_total", str(self.partition)): 1})

    def test_bytes_that_are_no_event_are_set_aside(self):
        for record in (b"hostile", b"", b"\x00" * 64, b"\xff" * 300):
            self.set_aside("not_an_event", record)

    def test_a_null_payload_is_set_aside(self):
        self.set_aside("null_payload", None)

    def test_a_record_above_64_kib_is_set_aside_with_its_first_4_kib(self):
        self.set_aside("too_large", bytes(range(256)) * 2100)

    def test_half_of_an_event_is_set_aside(self):
        event = self.newest(self.partition)
        self.set_aside("not_an_event", event[:len(event) // 2])

    def test_a_second_genesis_is_set_aside(self):
        segment, = pathlib.Path(self.folder / "data" / "log" / "p00000").glob("*.seg")
        data = segment.read_bytes()
        length = struct.unpack_from("<I", data, 64)[0] & 0x1FFFFFFF
        self.set_aside("genesis_position", data[88:88 + length], 0)

    def test_hostile_bytes_among_good_records_take_none_of_them_along(self):
        self.taken(turn("a", user="traveller"))
        good = self.newest(self.partition)
        broken = bytearray(good)
        broken[len(broken) // 2] ^= 0xFF
        before = self.daemon.metrics()
        self.append(b"junk", good, None, bytes(broken), good)
        end = self.daemon.metrics()
        self.assertEqual(end["odometer_cursor", str(self.partition)] - before["odometer_cursor", str(self.partition)],
                         5)
        self.assertEqual(self.daemon.summary("traveller", self.tenant).json["turns"], 1)

    def test_a_body_that_ends_within_a_record_is_refused_whole(self):
        target = f"/v1/admin/records?partition={self.partition}"
        for body, words in ((b"\x05\x00\x00\x00ab", "within a record"), (b"\x05\x00", "within a length"),
                            (b"", "no record")):
            self.refuse_request(400, "bad-request", words, lambda: self.daemon.request("POST", target, body),
                                "/v1/admin/records")

    def test_the_raw_door_needs_a_partition(self):
        self.refuse_request(400, "bad-request", "'partition' is missing",
                            lambda: self.daemon.request("POST", "/v1/admin/records", bytes(4)), "/v1/admin/records")


class NoRawRecords(BadInputTest):
    ARGUMENTS = ("--log-partitions", "2")

    def test_without_its_flag_the_raw_door_is_not_there(self):
        self.refuse_request(404, "unknown-route", "nothing under this path",
                            lambda: self.daemon.request("POST", "/v1/admin/records?partition=0", bytes(4)), "")


class Flood(BadInputTest):
    def test_a_flood_of_bad_requests_is_counted_one_by_one_and_logged_ten_times(self):
        before = self.daemon.metrics()
        for _ in range(50):
            self.daemon.post(b"nonsense", self.tenant)
        self.assertEqual(self.daemon.metrics().moved_from(before, COUNTERS)[(*POSTED, "400")], 50)
        self.assertLessEqual(len(self.daemon.lines("request refused status=400")), 20)


if __name__ == "__main__":
    harness.main()
