"""LimitTest, what tests of limits share: a daemon of their own, on an embedded log or on the broker that ODOMETER_KAFKA
names, and asks to it."""

import contextlib
import json
import os
import unittest
import uuid

import harness

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
        """Embedded; or a topic of its own on the broker."""
        if not KAFKA:
            return "--log-partitions", "1"
        log = f"kafka://{KAFKA}/limits-{uuid.uuid4()}"
        made = harness.run_cli("topics", "create", "--log", log, "--partitions", "1")
        if made.returncode != 0:
            raise AssertionError(made)
        return "--log", log

    def define(self, type_, tenant=None, **fields):
        answer = self.daemon.post({"type": type_, "who": "root", "why": "test", **fields}, tenant)
        self.assertEqual(answer.json["outcomes"]["applied"], 1, answer)

    def override(self, user, *limits, tenant=None):
        self.define("LimitOverridden", tenant, user=user, limits=list(limits))

    def ask(self, verb, expect=200, tenant=None, **fields):
        headers = {"Odometer-Tenant": tenant} if tenant else {}
        answer = self.daemon.request("POST", f"/v1/limits/{verb}", json.dumps(fields).encode(), headers)
        self.assertEqual(answer.status, expect, answer)
        return answer

    def admit(self, user="ann", **fields):
        return self.ask("admit", user=user, amounts={"requests": 1}, **fields).json

    def run_verb(self, *arguments, code=0):
        """A verb of the command line, asked of this daemon."""
        done = harness.run_cli("--server", f"http://{self.daemon.host}", *arguments)
        self.assertEqual(done.returncode, code, done)
        return done.stdout

    def fail_verb(self, *arguments, code):
        """One that must end with this code; gives what it says."""
        done = harness.run_cli("--server", f"http://{self.daemon.host}", *arguments)
        self.assertEqual(done.returncode, code, done)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def assert_no_drift(self):
        """Of a daemon that has stopped."""
        code, report = harness.audit(self.folder / "data", self.folder / "audit")
        self.assertEqual((code, report.get("drift")), (0, 0), report)
