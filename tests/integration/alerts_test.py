#!/usr/bin/env python3
"""Limits that are crossed: each told to an address at least once, with one id, whatever goes down meanwhile.

    python3 tests/integration/alerts_test.py --bin build/release/bin
"""

import base64
import collections
import contextlib
import hashlib
import hmac
import http.server
import json
import random
import shutil
import signal
import threading
import time
import unittest

import harness

CROSSINGS = 1000
KEY = b"a key of thirty-two bytes, or so"


class Receiver:
    """An address that takes alerts, goes away and comes back on the same port."""

    def __init__(self):
        self.requests = []  # (headers, body)
        self.answer = lambda alert: 204
        self.port = 0
        self.server = None
        self.start()

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.answer(json.loads(body)["data"])
                if status == 204:
                    receiver.requests.append((dict(self.headers), body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def ids(self):
        return collections.Counter(json.loads(body)["data"]["id"] for _, body in self.requests)


class AlertTest(unittest.TestCase):
    def setUp(self):
        self.cleanup = contextlib.ExitStack()
        self.addCleanup(self.cleanup.close)
        self.folder = self.cleanup.enter_context(harness.Folder())
        self.receiver = Receiver()
        self.addCleanup(self.receiver.stop)
        (self.folder / "secret").write_text("whsec_" + base64.b64encode(KEY).decode() + "\n")
        (self.folder / "settings.toml").write_text(f"""
[[webhooks]]
name = "billing"
url = "http://user:password@127.0.0.1:{self.receiver.port}/hook?token=t"
secret_file = "{self.folder / 'secret'}"
timeout_ms = 2000
backoff_min_ms = 20
backoff_max_ms = 200
attempts_max = {self.attempts_max()}
""")
        self.daemon = harness.Daemon(self.folder / "data", "--log-partitions", "2",
                                     "--config", self.folder / "settings.toml")
        self.addCleanup(self.daemon.close)

    def attempts_max(self):
        return 1000

    def override(self, tenant, user, *limits):
        answer = self.daemon.post({"type": "LimitOverridden", "user": user, "limits": list(limits), "who": "root",
                                   "why": "test"}, tenant)
        self.assertEqual(answer.json["outcomes"]["applied"], 1, answer)

    def turns(self, tenant, user, count=1):
        now_us = int(time.time() * 1e6)
        turn = {"type": "TurnRecorded", "user": user, "session": "s", "provider": "p", "model_requested": "m",
                "tokens": {"output": 10}, "status": "success"}
        answer = self.daemon.post([{**turn, "event_time": now_us} for _ in range(count)], tenant)
        self.assertIn(answer.status, (200, 202), answer)

    def alerts(self, tenant, query=""):
        """All of them, over all pages."""
        found, cursor = [], ""
        while True:
            page = self.daemon.get(f"/v1/alerts?limit=200{query}{cursor}", tenant).json
            found += page["data"]
            if not page["has_more"]:
                return found
            cursor = "&cursor=" + page["next_cursor"]

    def webhook(self):
        return self.daemon.get("/v1/admin/webhooks").json["webhooks"][0]


class Told(AlertTest):
    def test_a_crossing_is_an_alert_and_is_told_signed(self):
        self.override("acme", "ann", {"meter": "requests", "window": "month", "cap": 5})
        self.turns("acme", "ann", 4)
        harness.await_true("it is told", lambda: self.receiver.requests, 20)
        headers, body = self.receiver.requests[0]
        told = json.loads(body)
        self.assertEqual((told["type"], told["data"]["percent"], told["data"]["used"], told["data"]["cap"],
                          told["data"]["tenant"], told["data"]["user"], told["data"]["warning"]),
                         ("limit.crossed", 80, 4, 5, "acme", "ann", "warning"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        self.assertEqual(headers["webhook-signature"], "v1," + wanted)
        self.assertEqual(headers["webhook-id"], told["data"]["id"])
        self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 60)
        alert, = self.alerts("acme")
        self.assertEqual({**alert, "tenant": "acme"}, told["data"])
        self.assertEqual(self.alerts("other"), [])
        self.assertEqual(self.alerts("acme", "&percent=95"), [])
        self.assertEqual(len(self.alerts("acme", "&user=ann")), 1)
        self.assertEqual(self.alerts("acme", "&user=bob"), [])
        self.assertNotIn("password", self.webhook()["url"] + self.daemon.text())
        self.assertNotIn("token", self.webhook()["url"])

    def test_a_thousand_crossings_are_told_once_or_more_and_none_is_invented(self):
        tenants = ["acme", "beta", "gamma", "delta"]
        for tenant in tenants:
            self.daemon.post({"type": "ProfileDefined", "name": "small", "who": "root", "why": "test", "limits": [
                {"meter": "requests", "window": "month", "cap": 10}, {"meter": "output_tokens", "window": "lifetime", "cap": 100}]},
                tenant)
            answer = self.daemon.post({"type": "ProfileAssigned", "profile": "small", "who": "root", "why": "test"}, tenant)
            self.assertEqual(answer.json["outcomes"]["applied"], 1, answer)
        users = -(-CROSSINGS // (6 * len(tenants)))
        wanted = users * 6 * len(tenants)  # 80, 95 and 100 percent of both limits
        stop = threading.Event()
        failures = []

        def trouble():
            """The receiver is away at times, refuses for a while, and the daemon is killed three times."""
            rng = random.Random(1)
            try:
                for round_ in range(6):
                    time.sleep(rng.uniform(0.2, 0.5))
                    self.receiver.stop()
                    if round_ % 2 == 0:
                        with lock:
                            self.daemon.process.send_signal(signal.SIGKILL)
                            self.daemon.process.wait()
                            self.daemon.start()
                    time.sleep(rng.uniform(0.1, 0.3))
                    self.receiver.answer = lambda alert: rng.choice((204, 204, 500, 503))
                    self.receiver.start()
            except Exception as error:  # of a thread: told by the test
                failures.append(error)
            finally:
                self.receiver.answer = lambda alert: 204
                stop.set()

        lock = threading.Lock()
        thread = threading.Thread(target=trouble)
        thread.start()
        for user in range(users):
            for tenant in tenants:
                with lock:  # what is in the log is known: the daemon is killed between two posts
                    self.turns(tenant, f"u{user}", 10)
        thread.join()
        self.assertEqual(failures, [])
        harness.await_true("all are alerts", lambda: sum(len(self.alerts(t)) for t in tenants) == wanted, 60)
        ids = {alert["id"] for tenant in tenants for alert in self.alerts(tenant)}
        self.assertEqual(len(ids), wanted)
        harness.await_true("all are told", lambda: set(self.receiver.ids()) >= ids, 120)
        self.assertEqual(set(self.receiver.ids()), ids, "none is invented")
        self.assertEqual(self.webhook()["dead_letters"], 0)

        told = len(self.receiver.requests)
        self.assertEqual(self.daemon.stop(), 0)
        shutil.rmtree(self.folder / "data" / "state")  # the log is folded again
        self.daemon.start()
        harness.await_true("all are alerts again", lambda: sum(len(self.alerts(t)) for t in tenants) == wanted, 60)
        self.assertEqual({alert["id"] for tenant in tenants for alert in self.alerts(tenant)}, ids)
        time.sleep(1)
        self.assertEqual(len(self.receiver.requests), told, "a log that is folded again tells nothing")


class DeadLetters(AlertTest):
    def attempts_max(self):
        return 4

    def test_what_is_refused_is_a_dead_letter_the_next_goes_on_and_it_can_be_sent_again(self):
        self.receiver.answer = lambda alert: 204 if alert["percent"] != 80 else 400
        self.override("acme", "ann", {"meter": "requests", "window": "month", "cap": 5})
        self.turns("acme", "ann", 5)
        harness.await_true("the others are told", lambda: len(self.receiver.requests) == 2, 20)
        status = harness.await_true("it is given up", lambda: self.webhook()["dead_letters"] and self.webhook(), 20)
        self.assertEqual((status["delivered"], status["dead_letters"]), (2, 1))
        letter, = self.daemon.get("/v1/admin/webhooks/billing/dead-letters").json["dead_letters"]
        self.assertEqual((letter["attempts"], letter["error"], letter["tenant"]), (3, "answered 400", "acme"))
        metrics = self.daemon.request("GET", "/metrics").body
        self.assertIn('odometer_webhook_dead_letters{webhook="billing"} 1', metrics)

        listed = harness.run_cli("--server", f"http://{self.daemon.host}", "webhooks", "dead-letters", "billing")
        self.assertIn(letter["id"], listed.stdout)
        again = harness.run_cli("--server", f"http://{self.daemon.host}", "webhooks", "resend", "billing", "--all")
        self.assertEqual(again.returncode, 0, again)
        harness.await_true("it was tried once more", lambda: self.daemon.get(
            "/v1/admin/webhooks/billing/dead-letters").json["dead_letters"][0]["attempts"] == 4, 20)

        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.start()
        self.receiver.answer = lambda alert: 204
        sent = self.daemon.request("POST", "/v1/admin/webhooks/billing/resend",
                                   json.dumps({"ids": [letter["id"]]}).encode())
        self.assertEqual((sent.status, sent.json["tried_again"]), (202, 1))
        harness.await_true("it is told", lambda: letter["id"] in self.receiver.ids(), 20)
        harness.await_true("no letter is left", lambda: self.webhook()["dead_letters"] == 0, 20)
        self.assertEqual(self.webhook()["delivered"], 3)

    def test_bad_requests_say_what_to_do(self):
        for body in (b"", b"{}", b"[]", b'{"ids":[]}', b'{"ids":["x"]}', b'{"all":false}', b'{"all":true,"ids":[]}'):
            self.assertEqual(self.daemon.request("POST", "/v1/admin/webhooks/billing/resend", body).status, 400, body)
        self.assertEqual(self.daemon.request("POST", "/v1/admin/webhooks/other/resend", b'{"all":true}').status, 404)
        self.assertEqual(self.daemon.get("/v1/admin/webhooks/other/dead-letters").status, 404)
        self.assertEqual(self.daemon.get("/v1/alerts?percent=101").status, 400)
        self.assertEqual(self.daemon.get("/v1/alerts?cursor=x").status, 400)

    def test_the_command_line_shows_alerts_and_addresses(self):
        self.override("default", "ann", {"meter": "requests", "window": "day", "cap": 1})
        self.turns("default", "ann")
        harness.await_true("all are told", lambda: len(self.receiver.requests) == 3, 20)
        alerts = harness.run_cli("--server", f"http://{self.daemon.host}", "alerts", "--percent", "100")
        self.assertIn("user ann", alerts.stdout)
        self.assertEqual(len(alerts.stdout.splitlines()), 2, alerts)
        webhooks = harness.run_cli("--server", f"http://{self.daemon.host}", "webhooks", "list")
        self.assertIn("billing", webhooks.stdout)


if __name__ == "__main__":
    harness.main()
