#!/usr/bin/env python3
"""Every event that docs/api.md shows is taken as it stands there, and counts.

    python3 tests/integration/api_examples_test.py --bin build/release/bin

An example is a ```json block that holds an object with a `type`.
"""

import contextlib
import json
import pathlib
import re
import unittest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "api.md"
DOCUMENT = ROOT / "consumers" / "http" / "openapi.yaml"


def examples():
    """(line, text, event) of each example, in the order of the page."""
    found = []
    text = PAGE.read_text(encoding="utf-8")
    for block in re.finditer(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, block.start()) + 1
        try:
            value = json.loads(block[1])
        except ValueError as error:
            raise AssertionError(f"{PAGE.name}:{line}: a json block that is not JSON: {error}") from error
        if isinstance(value, dict) and "type" in value:
            found.append((line, block[1], value))
    return found


def types_taken():
    """The types that POST /v1/events takes, as openapi.yaml lists them."""
    text = DOCUMENT.read_text(encoding="utf-8")
    names = set()
    for match in re.finditer(r"type: \{(?:const: ([A-Z]\w+)|enum: \[([A-Z][\w, ]+)\])\}", text):
        names.update((match[1] or match[2]).split(", "))
    return names - {"Genesis", "Tick", "GapReported", "LimitCrossed"}


class ApiExamples(unittest.TestCase):
    def setUp(self):
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        self.folder = cleanup.enter_context(harness.Folder())
        self.daemon = harness.Daemon(self.folder / "data", "--log-partitions", "1")
        cleanup.callback(self.daemon.close)

    def outcome(self, line, text):
        answer = self.daemon.post(text.encode())
        self.assertEqual(answer.status, 202, f"{PAGE.name}:{line}: {answer}")
        item, = answer.json["items"]
        return item["outcome"]

    def test_every_example_of_the_page_is_applied_as_it_stands_and_counts_once(self):
        found = examples()
        for line, text, event in found:
            with self.subTest(line=line, type=event["type"]):
                self.assertEqual(self.outcome(line, text), "applied")
        for line, text, event in found:
            if "key" not in event and "id" not in event:
                continue
            with self.subTest(line=line, type=event["type"], again=True):
                self.assertEqual(self.outcome(line, text), "duplicate")
        code, report = harness.audit(self.folder / "data", self.folder / "audit")
        self.assertEqual((code, report.get("drift")), (0, 0), report)
        self.assertEqual(self.daemon.stop(), 0)

    def test_the_page_has_an_example_of_every_type_that_is_taken(self):
        shown = {event["type"] for _, _, event in examples()}
        wanted = types_taken()
        self.assertGreaterEqual(len(wanted), 19, wanted)
        self.assertEqual(shown, wanted)


if __name__ == "__main__":
    harness.main()
