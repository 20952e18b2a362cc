"""Client processes that hammer caps: each thread asks, uses, settles, and asks again until it is answered, whoever
kills the daemon meanwhile.

    with Clients(data_dir, folder, processes=4, threads=16) as clients:
        ...                                   # kill the daemon, start it again
        clients.refused()                     # how often each scope has refused, so far
    clients.answers()                         # all that were given

After the block every ask, end and fact that was sent has been answered, so the daemon must be up when it ends.
"""

import contextlib
import heapq
import http.client
import json
import multiprocessing
import pathlib
import random
import sys
import threading
import time
import uuid

PATIENCE_S = 120


class Scope:
    """A tenant's one limit, who shares it, and what they do against it."""

    def __init__(self, name, tenant, share, cap, definition, meter, window, subjects, verbs, amounts, fact):
        self.name, self.tenant, self.share, self.cap = name, tenant, share, cap
        self.definition, self.meter, self.window = definition, meter, window
        self.subjects, self.verbs, self.amounts, self.fact = subjects, verbs, amounts, fact

    def defined(self, cap):
        """The definition with this cap."""
        return {**self.definition, "limits": [{"meter": self.meter, "window": self.window, "cap": cap}]}

    @property
    def query(self):
        return "&".join(f"{name}={value}" for name, value in self.subjects[0].items())


# Facts of a subject that was granted so much: less, as much, or more.


def turn(subject, amount):
    return {"type": "TurnRecorded", "user": subject["user"], "session": "s", "status": "success",
            "provider": "acme-ai", "model_served": "m", "tokens": {"input_uncached": 10, "output": 1},
            "llm_calls": max(1, amount + random.randint(-3, 3))}


def search(subject, _):
    return {"type": "VectorsSearched", "collection": "c", **subject, "status": "success"}


def add(subject, amount):
    return {**search(subject, 0), "type": "VectorsAdded", "vectors_delta": max(1, amount + random.randint(-3, 3))}


ALL = ("admit", "reserve", "lease")
SCOPES = [
    Scope("one user's calls: the cap that half of all asks are for", "one", 5, 3000,
          {"type": "LimitOverridden", "user": "ann"}, "llm_calls", "lifetime", [{"user": "ann"}], ALL, (4, 9), turn),
    Scope("a user's searches over 8 projects", "searches", 2, 1000,
          {"type": "QuotaSet", "level": "user", "user": "ann"}, "searches", "lifetime",
          [{"user": "ann", "project": f"p{n}"} for n in range(8)], ALL, (2, 5), search),
    Scope("a tenant's operations, of all users", "operations", 2, 1000,
          {"type": "QuotaSet", "level": "tenant"}, "operations", "lifetime",
          [{"user": f"bob{n}", "project": f"q{n % 3}"} for n in range(20)], ALL, (2, 5), add),
    Scope("a collection's vectors", "vectors", 1, 1000,
          {"type": "QuotaSet", "level": "collection", "project": "docs", "collection": "c"}, "vectors", "gauge",
          [{"user": f"cat{n}", "project": "docs", "collection": "c"} for n in range(5)], ("reserve",), (5, 30), add),
]


class Thread:
    """One thread of a client: its connection, and what it means to do with what it holds."""

    def __init__(self, client, number):
        self.client = client
        self.rng = random.Random(number)
        self.connection = None
        self.planned = []  # (when, a number that no other has, scope, path, body)

    def run(self):
        while not self.client.stop.is_set():
            while self.planned and self.planned[0][0] <= time.monotonic():
                self.send(*heapq.heappop(self.planned)[2:])
            self.ask(self.rng.choices(SCOPES, [scope.share for scope in SCOPES])[0])
        if self.connection:
            self.connection.close()

    def ask(self, scope):
        verb = self.rng.choice(scope.verbs)
        subject = self.rng.choice(scope.subjects)
        amount = 1 if verb == "admit" else self.rng.randint(*scope.amounts)
        body = {**subject, "amounts": {scope.meter: amount}, **identity()}
        ttl_s = 0
        if verb != "admit":
            ttl_s = self.rng.choice([1, 1.5, 4])
            body["ttl_us"] = int(ttl_s * 1_000_000)
        answer = self.send(scope, f"/v1/limits/{verb}", body)
        if not answer["allowed"]:
            self.client.count_refusal(scope)
            time.sleep(self.rng.uniform(0.05, 0.2))  # as one who was told to come again
        elif self.rng.random() < 0.4:
            self.plan(scope, verb, subject, answer["id"], amount, ttl_s)

    # What becomes of what was granted: about a third of it; the rest expires.
    def plan(self, scope, verb, subject, id_, amount, ttl_s):
        soon_s = self.rng.uniform(0, 0.6)
        fact = {**scope.fact(subject, amount), "ask": id_, **identity()}
        if verb == "admit":
            return self.later(soon_s, scope, "/v1/events", fact)
        way = self.rng.choice(["less", "more", "release", "fact", "late", "twice", "report"])
        used = {"less": self.rng.randint(0, amount), "more": amount + self.rng.randint(1, 3)}
        settle = {"amounts": {scope.meter: used.get(way, self.rng.randint(1, amount + 2))}, **identity()}
        if way == "fact":
            return self.later(soon_s, scope, "/v1/events", fact)
        if way == "release":
            return self.later(soon_s, scope, f"/v1/limits/holds/{id_}/release", identity())
        if way == "report" and verb == "lease":
            settle["final"] = False
        if way == "late":
            soon_s += ttl_s + 0.1
        self.later(soon_s, scope, f"/v1/limits/holds/{id_}/settle", settle)
        if way == "twice":
            again = {"amounts": {scope.meter: amount}, **identity()}
            self.later(soon_s + 0.1, scope, f"/v1/limits/holds/{id_}/settle", again)
        return None

    def later(self, seconds, scope, path, body):
        heapq.heappush(self.planned, (time.monotonic() + seconds, next_number(), scope, path, body))

    def send(self, scope, path, body):
        """Until it is answered; with the same id, so that it counts once. Gives the answer."""
        target = path + ("?wait=folded&wait_ms=30000" if path == "/v1/events" else "")
        text, begun = json.dumps(body), time.monotonic()
        while True:
            status, answer = self.try_once(scope, target, text)
            if status in (200, 202, 404, 409, 422):
                break
            if time.monotonic() - begun > PATIENCE_S:
                raise AssertionError(f"{path} was not answered: {status} {answer}")
            time.sleep(0.05)
        self.client.note({"tenant": scope.tenant, "path": path, "id": body["id"], "status": status, "answer": answer})
        return answer

    def try_once(self, scope, target, text):
        try:
            if self.connection is None:
                host = (self.client.data_dir / "http.address").read_text().strip()
                self.connection = http.client.HTTPConnection(host, timeout=40)
            self.connection.request("POST", target, text, {"Odometer-Tenant": scope.tenant})
            answer = self.connection.getresponse()
            body = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            return 0, str(error)
        is_folded = target[:10] != "/v1/events" or body.get("outcomes", {}).get("pending") == 0
        return answer.status if is_folded else 0, body


def identity():
    return {"id": str(uuid.uuid4()), "event_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


_numbers = iter(range(1 << 62))


def next_number():
    return next(_numbers)


class Client:
    """One process."""

    def __init__(self, data_dir, stop, refused, path):
        self.data_dir, self.stop, self.refused = data_dir, stop, refused
        self.file = open(path, "w", encoding="utf-8")
        self.lock = threading.Lock()
        self.has_failed = False

    def run(self, number, threads):
        """Gives whether all was answered."""
        running = [threading.Thread(target=self.run_one, args=[number * 1000 + n]) for n in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        self.file.close()
        return not self.has_failed

    def run_one(self, number):
        try:
            Thread(self, number).run()
        except BaseException:
            self.has_failed = True
            raise

    def note(self, line):
        with self.lock:
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()

    def count_refusal(self, scope):
        with self.refused.get_lock():
            self.refused[SCOPES.index(scope)] += 1


class Clients:
    def __init__(self, data_dir, folder, processes, threads):
        context = multiprocessing.get_context("fork")
        self.stop = context.Event()
        self.counts = context.Array("Q", len(SCOPES))
        self.paths = [pathlib.Path(folder) / f"client-{n}.jsonl" for n in range(processes)]
        self.processes = [context.Process(target=self.be_client, args=(data_dir, path, n, threads))
                          for n, path in enumerate(self.paths)]

    def be_client(self, data_dir, path, number, threads):
        if not Client(data_dir, self.stop, self.counts, path).run(number, threads):
            sys.exit(1)

    def __enter__(self):
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for process in self.processes:
            process.join()

    @property
    def has_failed(self):
        """A client that was not answered, or not well, said why on standard error."""
        return any(process.exitcode != 0 for process in self.processes)

    def refused(self):
        """How often each scope has refused, so far."""
        return list(self.counts)

    def answers(self):
        """All that were given so far: the tenant, path and id of what was sent, the status, and the answer."""
        for path in self.paths:
            with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
                for line in file:
                    if line.endswith("\n"):
                        yield json.loads(line)
