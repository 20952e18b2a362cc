"""What tests need to start a daemon, to talk to it, and to break the ground under it.

    with harness.Folder() as folder:
        daemon = harness.Daemon(folder / "data", "--log-partitions", "1")
        answer = daemon.post({"type": "Tick"})              # Answer(status, headers, body, json)
        daemon.metrics()["odometer_cursor", "0"]            # 1
        daemon.lines("quarantined")                         # its log lines that hold this
        daemon.stop()

`Tmpfs` is a small disk of its own; `Faults` makes chosen system calls of a daemon fail or wait, by seccomp's user
notification, with nothing built into the daemon. A test program ends with `harness.main()`.
"""

import argparse
import array
import ctypes
import errno
import fcntl
import http.client
import json
import os
import pathlib
import platform
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

BIN = pathlib.Path("build/release/bin")
# For what must come some time: a busy machine may be slow, only a hang is an error.
PATIENCE_S = 120


class NotRun(AssertionError):
    """What the test needs is not to be had here. The test has not passed, so it fails, and says so."""


class Folder:
    """A temporary folder, as a pathlib.Path."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="odometer-test-"))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def await_true(what, condition, seconds=PATIENCE_S, pause_s=0.02):
    """Waits for a condition and gives its first true value; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause_s)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


class Daemon:
    """One odometerd on a free port of the loopback."""

    def __init__(self, data_dir, *arguments, faults=None, start=True):
        self.data_dir = pathlib.Path(data_dir)
        self.arguments = arguments
        self.faults = faults
        self.log = tempfile.TemporaryFile(prefix="odometer-log-")
        self.process = None
        self.host = None
        if start:
            self.start()

    def start(self):
        """Starts it, again too, and waits until it serves."""
        (self.data_dir / "http.address").unlink(missing_ok=True)  # of one that was killed
        self.launch()
        address = self.data_dir / "http.address"

        def serving():
            if self.process.poll() is not None:
                raise AssertionError(f"odometerd ended with {self.process.returncode}: {self.text()}")
            return address.exists() and self.since_start("serving address=") and address.read_text().strip()

        self.host = await_true("odometerd serves", serving)
        return self

    def launch(self):
        """Starts it and waits for nothing."""
        self.log_begin = self.log.seek(0, os.SEEK_END)
        command = [BIN / "odometerd", "--data-dir", self.data_dir, "--listen", "127.0.0.1:0", *self.arguments]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ODOMETER_")}
        start = self.faults.popen if self.faults else subprocess.Popen
        self.process = start(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment)

    def stop(self):
        """Asks it to end, and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        return self.process.wait(timeout=PATIENCE_S)

    def close(self):
        """Kills it if it runs still, and lets go of its log."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()

    # --- its log

    def text(self, begin=0):
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), size - begin, begin).decode("utf-8", "backslashreplace")

    def since_start(self, part):
        return [line for line in self.text(self.log_begin).splitlines() if part in line]

    def lines(self, part=""):
        """Its log lines with this in them, of all starts."""
        return [line for line in self.text().splitlines() if part in line]

    # --- HTTP

    def request(self, method, target, body=None, headers=None, timeout=PATIENCE_S):
        connection = http.client.HTTPConnection(self.host, timeout=timeout)
        try:
            connection.putrequest(method, target)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            if body is not None:
                try:
                    connection.send(body)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # refused before it was read; the answer says why
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()),
                          response.read().decode("utf-8", "backslashreplace"))
        finally:
            connection.close()

    def get(self, target, tenant=None):
        return self.request("GET", target, headers=_tenant(tenant))

    def post(self, events, tenant=None, query="?wait=folded&wait_ms=30000", kind="application/json"):
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        return self.request("POST", "/v1/events" + query, body, {"Content-Type": kind, **_tenant(tenant)})

    def summary(self, user, tenant=None, position=None):
        query = {"user": user, **({"min_position": position, "wait_ms": 30000} if position else {})}
        return self.get("/v1/consumption/summary?" + urllib.parse.urlencode(query), tenant)

    def turns(self, user="ana", tenant=None):
        """The user's turns, as the table of users has them: read from the store alone, not from the log."""
        def figure():
            rows = self.get("/v1/consumption/users?limit=1000", tenant).json["data"]
            return {row["user"]: int(row["turns"]) for row in rows}.get(user, 0)
        time.sleep(1.1)  # the table is a copy, at most a second old
        return figure()

    def ready(self):
        return self.get("/readyz")

    def await_ready(self, wanted, seconds, since=None, words=""):
        """Asks /readyz until it answers 200 or 503, as wanted, with these words in its detail, within so many seconds
        of `since`; gives that answer."""
        since = time.monotonic() if since is None else since
        seen = []
        while True:
            answer = self.ready()
            took = time.monotonic() - since
            seen.append(f"{answer.status} at {took:.2f} s")
            if took > seconds:
                raise AssertionError(f"/readyz did not answer {wanted} {words} within {seconds} s: "
                                     f"{', '.join(seen[-6:])}; {answer}")
            if answer.status == wanted and words in answer.json.get("detail", ""):
                return answer
            time.sleep(0.1)

    def metrics(self):
        return Metrics(self.get("/metrics").body)


def _tenant(tenant):
    return {"Odometer-Tenant": tenant} if tenant is not None else {}


class Metrics:
    """Samples by (name, label value, …), the values in the order that the daemon writes them."""

    SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? ([0-9.]+)$')

    def __init__(self, text):
        self.samples = {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = self.SAMPLE.match(line).groups()
            values = re.findall(r'[a-z_]+="((?:[^"\\]|\\.)*)"', labels or "")
            self.samples[(name, *values)] = float(value) if "." in value else int(value)

    def __getitem__(self, key):
        return self.samples.get(key if isinstance(key, tuple) else (key,), 0)

    def total(self, name):
        return sum(value for key, value in self.samples.items() if key[0] == name)

    def moved_from(self, before, names):
        """What changed of the counters with these names: {(name, label value, …): by how much}."""
        keys = {key for key in {*self.samples, *before.samples} if key[0] in names}
        return {key: self[key] - before[key] for key in keys if self[key] != before[key]}


def run_cli(*arguments, timeout=PATIENCE_S):
    """The command line tool; gives what subprocess.run() gives."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ODOMETER_")}
    command = [BIN / "odometer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout, check=False)


def audit(data_dir, work_dir):
    """Audits a data directory; gives the exit code and the report."""
    done = run_cli("audit", "--data-dir", data_dir, "--work-dir", work_dir, "--json")
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, {"text": done.stdout + done.stderr}


def turn(key, user="ana", tokens=10, **fields):
    return {"type": "TurnRecorded", "key": key, "event_time": "2023-11-16T18:17:03Z", "user": user, "session": "s1",
            "status": "success", "provider": "acme-ai", "model_served": "m-large",
            "tokens": {"input_uncached": tokens, "output": 1}, **fields}


class Tmpfs:
    """A small disk in memory, mounted at a folder."""

    def __init__(self, path, megabytes):
        self.path = pathlib.Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.filler = self.path / "filler"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.path]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotRun(f"not run: no right to mount ({' '.join(done.stderr.split())}); run it as root")

    def fill(self):
        """Writes a file until nothing more fits, to the byte. Gives the moment when it was full."""
        with open(self.filler, "ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        return time.monotonic()

    def free(self):
        """Removes the file. Gives the moment when there was room."""
        self.filler.unlink()
        return time.monotonic()

    def unmount(self):
        subprocess.run(["umount", "--lazy", self.path], check=True)


# --- failing system calls

_SYSCALLS = {
    "x86_64": {"write": 1, "pread64": 17, "pwrite64": 18, "fsync": 74, "fdatasync": 75, "ftruncate": 77, "seccomp": 317,
               "arch": 0xC000003E},
    "aarch64": {"write": 64, "pread64": 67, "pwrite64": 68, "fsync": 82, "fdatasync": 83, "ftruncate": 46,
                "seccomp": 277, "arch": 0xC00000B7},
}.get(platform.machine())
_NOTIF_RECV, _NOTIF_SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1


class Faults:
    """Makes system calls of a daemon fail, or wait, from outside, by the file that they are about.

        faults = Faults("fdatasync", "pwrite64")
        daemon = Daemon(data_dir, faults=faults)
        with faults.fail("fdatasync", "/log/", errno.EIO): ...      # while in the block
        with faults.hold("pwrite64", "/log/"): ...                  # they go on when the block ends

    Calls that are not named here are not looked at. The first argument of each is a descriptor.
    """

    def __init__(self, *calls):
        if _SYSCALLS is None:
            raise NotRun(f"not run: the numbers of system calls are not known here for {platform.machine()}")
        self.calls = calls
        self.names = {_SYSCALLS[call]: call for call in calls}
        self.lock = threading.Lock()
        self.rule = None       # (calls, part of the path, errno or None to hold)
        self.held = []
        self.hits = 0
        self.listener = None

    def popen(self, command, **options):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            launcher = [sys.executable, __file__, "--launch", str(theirs.fileno()), ",".join(self.calls),
                        *map(str, command)]
            process = subprocess.Popen(launcher, pass_fds=[theirs.fileno()], **options)
            theirs.close()
            _, ancillary, _, _ = ours.recvmsg(16, socket.CMSG_SPACE(4))
        if not ancillary:
            process.wait()
            raise NotRun("not run: system calls cannot be intercepted here (seccomp user notification)")
        self.listener = array.array("i", ancillary[0][2])[0]
        threading.Thread(target=self._serve, args=[self.listener], daemon=True).start()
        return process

    def fail(self, calls, part, error):
        return _Rule(self, (calls.split(), part, error))

    def hold(self, calls, part):
        return _Rule(self, (calls.split(), part, None))

    def _set(self, rule):
        with self.lock:
            self.rule = rule
            held, self.held = self.held, []
            if rule is not None:
                self.hits = 0
        for request in held:
            self._answer(self.listener, request, None)

    def _serve(self, listener):
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while True:
            for _, events in poll.poll():
                if events & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                    os.close(listener)
                    return
            notification = bytearray(80)
            try:
                fcntl.ioctl(listener, _NOTIF_RECV, notification)
            except OSError:
                continue  # its caller is gone
            request, pid = struct.unpack_from("=QI", notification)
            call, = struct.unpack_from("=i", notification, 16)
            descriptor, = struct.unpack_from("=Q", notification, 32)
            self._judge(listener, request, pid, self.names.get(call), descriptor)

    def _judge(self, listener, request, pid, call, descriptor):
        error = None
        with self.lock:
            if self.rule is not None and call in self.rule[0] and self._is_about(pid, descriptor, self.rule[1]):
                self.hits += 1
                if self.rule[2] is None:
                    self.held.append(request)
                    return
                error = self.rule[2]
        self._answer(listener, request, error)

    @staticmethod
    def _is_about(pid, descriptor, part):
        try:
            return part in os.readlink(f"/proc/{pid}/fd/{descriptor}")
        except OSError:
            return False

    @staticmethod
    def _answer(listener, request, error):
        try:
            fcntl.ioctl(listener, _NOTIF_SEND, struct.pack("=QqiI", request, 0, -(error or 0),
                                                           0 if error else _CONTINUE))
        except OSError:
            pass  # its caller is gone


class _Rule:
    def __init__(self, faults, rule):
        self.faults, self.rule = faults, rule

    def __enter__(self):
        self.faults._set(self.rule)
        return self.faults

    def __exit__(self, *_):
        self.faults._set(None)


def _launch(channel, calls, command):
    """Hands the listener of this process's system calls to `channel` and becomes the command."""
    def instruction(code, yes, no, value):
        return struct.pack("=HBBI", code, yes, no, value)

    numbers = [_SYSCALLS[call] for call in calls.split(",")]
    program = [instruction(0x20, 0, 0, 4), instruction(0x15, 0, len(numbers) + 1, _SYSCALLS["arch"]),
               instruction(0x20, 0, 0, 0)]
    program += [instruction(0x15, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
    program += [instruction(0x06, 0, 0, 0x7FFF0000), instruction(0x06, 0, 0, 0x7FC00000)]  # allow; notify
    code = ctypes.create_string_buffer(b"".join(program))
    filter_program = struct.pack("@HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)  # no new privileges: whoever is not root may filter too
    listener = libc.syscall(_SYSCALLS["seccomp"], 1, 8, filter_program)
    with socket.socket(fileno=channel) as parent:
        if listener < 0:
            sys.exit("seccomp: " + os.strerror(ctypes.get_errno()))
        parent.sendmsg([b"listener"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
    os.close(listener)
    os.execv(command[0], command)


def main():
    global BIN
    arguments = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__,
                                        formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bin", type=pathlib.Path, default=BIN, metavar="DIR",
                           help="the folder with odometerd and odometer [%(default)s]")
    options, rest = arguments.parse_known_args()
    BIN = options.bin.resolve()
    for name in ("odometerd", "odometer"):
        if not (BIN / name).exists():
            sys.exit(f"{BIN / name} is not there; say --bin DIR")
    unittest.main(module="__main__", argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    if sys.argv[1:2] != ["--launch"]:
        sys.exit("this is no test; it is what tests are made with")
    _launch(int(sys.argv[2]), sys.argv[3], sys.argv[4:])
