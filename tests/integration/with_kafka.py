"""Runs a command beside a real Apache Kafka of its own, and takes both away again.

    with_kafka.py [--nodes 3] -- COMMAND…      ODOMETER_KAFKA and {kafka} in COMMAND are its bootstrap address,
                                               {broker} is kafka.sh with the options that name it
"""

import argparse
import fcntl
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


BLOCK = 20
_locks = []  # held until this process ends


def free_ports(count):
    """The first of so many neighbouring ports, below those the kernel gives out. Nobody listens on them, and no other
    process that asks here is given them, also while a broker is down."""
    folder = pathlib.Path(tempfile.gettempdir()) / "odometer-test-ports"
    folder.mkdir(mode=0o777, exist_ok=True)
    for step in range(500):
        port = 20000 + (os.getpid() + step) % 500 * BLOCK
        lock = open(folder / str(port), "w", encoding="ascii")
        if is_locked(lock) and are_free(range(port, port + count)):
            _locks.append(lock)
            return port
        lock.close()
    raise RuntimeError("no free ports")


def is_locked(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def are_free(ports):
    sockets = [socket.socket() for _ in ports]
    try:
        for one, port in zip(sockets, ports):
            one.bind(("127.0.0.1", port))
        return True
    except OSError:
        return False
    finally:
        for one in sockets:
            one.close()


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
