"""deploy/kafka/kafka.sh with a java that only says what a broker would say."""

import argparse
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "deploy/kafka/kafka.sh"

BROKER = """#!/bin/sh
case "$*" in
  *StorageTool*) exit 0 ;;
  *kafka.Kafka*) echo "Kafka Server started"; exec sleep 60 ;;
esac
"""
ENDS = """#!/bin/sh
case "$*" in
  *kafka.Kafka*) echo "the port is taken"; exit 1 ;;
esac
"""
# Until it runs java, its command line says nothing of a node.
SLOW = """#!/bin/sh
printf 'sleep 1; exec /usr/bin/setsid %s' "$*" >"$0.words"
exec sh "$0.words"
"""


class Start(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="odometer-test-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "bin").mkdir()
        (self.root / "lib").mkdir()
        for name in ("kafka_2.13-0.jar", ".complete"):
            (self.root / "lib" / name).touch()

    def program(self, name, text):
        path = self.root / "bin" / name
        path.write_text(text, encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run_script(self, verb):
        environment = os.environ | {"PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
                                    "ODOMETER_KAFKA_LIB": str(self.root / "lib")}
        return subprocess.run([str(SCRIPT), verb, "--dir", str(self.root / "run"), "--port", "1"], env=environment,
                              capture_output=True, text=True, timeout=120, check=False)

    def test_a_node_that_is_slow_to_become_java_is_waited_for(self):
        self.program("java", BROKER)
        self.program("setsid", SLOW)
        try:
            started = self.run_script("start")
            self.assertEqual((started.returncode, started.stdout), (0, "127.0.0.1:1\n"), started.stderr)
        finally:
            pid = int((self.root / "run/node1/pid").read_text(encoding="ascii"))
            os.kill(pid, 9)

    def test_a_node_that_ends_at_its_start_is_named_with_what_it_said_last(self):
        self.program("java", ENDS)
        started = self.run_script("start")
        self.assertEqual(started.returncode, 1)
        self.assertIn("node 1 ended at its start", started.stderr)
        self.assertIn("the port is taken", started.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    _, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
