"""Runs a command beside a real Apache Kafka of its own, and takes both away again.

    with_kafka.py [--nodes 3] -- COMMAND…      ODOMETER_KAFKA and {kafka} in COMMAND are its bootstrap address,
                                               {broker} is kafka.sh with the options that name it
"""

import argparse
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "deploy/kafka/kafka.sh"


class Kafka:
    """A broker, or three, on free ports of loopback with data of its own."""

    def __init__(self, folder, nodes=1, heap_mib=384, port=None):
        self.folder = pathlib.Path(folder)
        self.nodes = nodes
        self.port = port or free_ports(2 * nodes)
        self.flags = ["--dir", str(self.folder), "--port", str(self.port), "--nodes", str(nodes), "--heap",
                      str(heap_mib), "--fast"]

    def run(self, verb, *words):
        done = subprocess.run([str(SCRIPT), verb, *map(str, words), *self.flags], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise RuntimeError(f"kafka.sh {verb}: {done.stderr.strip()}")
        return done.stdout.strip()

    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{self.port + 2 * node}" for node in range(self.nodes))

    def start(self):
        self.run("start")

    def stop(self):
        self.run("stop")

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()


def free_ports(count):
    """The first of so many neighbouring ports that nobody listens on, below those the kernel gives out."""
    base = 20000 + os.getpid() % 5000 * 2
    for port in range(base, base + 2000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for i, one in enumerate(sockets):
                one.bind(("127.0.0.1", port + i))
            return port
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError("no free ports")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    # A test runner ends what takes too long by SIGTERM: then the broker must go, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="odometer-kafka-") as folder:
        with Kafka(folder, arguments.nodes) as kafka:
            broker = " ".join([str(SCRIPT), *kafka.flags])
            words = [word.replace("{kafka}", kafka.bootstrap).replace("{broker}", broker)
                     for word in arguments.command]
            return subprocess.run(words, env=os.environ | {"ODOMETER_KAFKA": kafka.bootstrap}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
