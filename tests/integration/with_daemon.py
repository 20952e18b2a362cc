#!/usr/bin/env python3
"""Runs a command against a daemon that it starts on an empty data directory and stops afterwards.

    python3 tests/integration/with_daemon.py build/release/bin python3 tests/integration/openapi_test.py --server {address}

{address} becomes host:port. The exit code is the command's; a daemon that does not stop cleanly is a failure too.
"""

import pathlib
import signal
import subprocess
import sys
import tempfile
import time


def main():
    binaries, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "data"
        daemon = subprocess.Popen(
            [binaries / "odometerd", "--data-dir", data, "--listen", "127.0.0.1:0", "--raw-records"]
        )
        try:
            deadline = time.monotonic() + 60
            while not (data / "http.address").exists():
                if daemon.poll() is not None or time.monotonic() > deadline:
                    print("with_daemon: odometerd did not start", file=sys.stderr)
                    return 1
                time.sleep(0.05)
            address = (data / "http.address").read_text().strip()
            result = subprocess.run([word.replace("{address}", address) for word in command]).returncode
        finally:
            daemon.send_signal(signal.SIGTERM)
            stopped = daemon.wait(timeout=60)
        if stopped != 0:
            print(f"with_daemon: odometerd ended with {stopped}", file=sys.stderr)
        return result or (1 if stopped else 0)


sys.exit(main())
