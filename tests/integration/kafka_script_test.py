"""deploy/kafka/kafka.sh with a java that only says what a broker would say, and `./dev kafka` with a real one."""

import argparse
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

import with_kafka

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy/kafka/kafka.sh"

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


class ARealBroker(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="odometer-test-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        self.port = with_kafka.free_ports(2)
        self.addCleanup(self.dev_kafka, "stop")

    def dev_kafka(self, *words):
        command = [str(ROOT / "dev"), "kafka", *words, "--dir", str(self.root), "--port", str(self.port), "--heap",
                   "256", "--fast"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, done.stdout, done.stderr

    def processes(self):
        """The numbers of all that were started with this broker's folder in their command."""
        folder = f"{self.root}/node1/server.properties".encode()
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = path.read_bytes()
            except OSError:  # it has ended meanwhile
                continue
            if folder in command:
                found.append(int(path.parent.name))
        return found

    def state(self, pid):
        return (pathlib.Path("/proc") / str(pid) / "stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]

    def test_stop_leaves_no_process_behind_that_was_paused_and_status_says_so(self):
        code, started, errors = self.dev_kafka("start")
        self.assertEqual((code, started), (0, f"127.0.0.1:{self.port}\n"), errors)
        pid, = self.processes()
        running = f"node 1: process {pid} on 127.0.0.1:{self.port}\n"
        self.assertEqual(self.dev_kafka("status"), (0, running, ""))
        self.assertEqual(self.dev_kafka("pause", "1"), (0, "", ""))
        self.assertEqual(self.state(pid), "T")
        self.assertEqual(self.dev_kafka("status"), (0, running, ""))
        self.assertEqual(self.dev_kafka("stop"), (0, "", ""))
        self.assertEqual(self.processes(), [])
        self.assertEqual(self.dev_kafka("status"), (1, "node 1: not running\n", ""))
        self.assertTrue(with_kafka.are_free([self.port, self.port + 1]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    _, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
