"""What stands against each cap after each record of a log, reckoned from docs/limits.md alone: not from the daemon's
counters, and in none of its code.

    ledger = Ledger(told)                    # {(tenant, id of an ask): what its sender was answered}
    for line in records:                     # as `odometer events tail --position p0.0 --json` prints them
        ledger.fold(json.loads(line))
    ledger.wrong                             # a verdict, or a sum above its cap: none
    ledger.caps["one"].used, .held, .counts  # after the last record

Each tenant has one limit, in which all of its asks lie: over their whole life, or a gauge. Everything is of its meter.
"""

import collections
import datetime
import heapq

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECOND = datetime.timedelta(microseconds=1)
VERBS = {"AdmitAsked": "admit", "HoldAsked": "hold", "LeaseAsked": "lease"}


def microseconds(text):
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // MICROSECOND


class Ask:
    """One that was allowed."""

    def __init__(self, verb, event, amount, now_us):
        self.verb, self.amount = verb, amount
        self.user, self.project = event.get("user", ""), event.get("project", "")
        self.due_us = None if verb == "admit" else now_us + event["ttl_us"]
        self.state = "admitted" if verb == "admit" else "open"
        self.is_spent = False
        self.reported = 0
        self.closed_by = None


class Cap:
    """A tenant's limit and what stands against it."""

    def __init__(self, meter, window):
        self.meter, self.is_gauge = meter, window == "gauge"
        self.cap = self.used = self.held = 0
        self.overrun = 0      # of `used`, what came above what had been granted for it
        self.left_least = None
        self.asks = {}        # by id
        self.counts = collections.Counter()

    @property
    def granted(self):
        """What was admitted, is held, and was settled within what had been held."""
        return self.used + self.held - self.overrun

    def add(self, amount, granted, what):
        """`amount` was used, of `granted`."""
        self.used += amount
        above = max(amount - granted, 0)
        self.overrun += above
        if above:
            self.counts["overrun by " + what] += 1

    # --- asks

    def take(self, id_, ask):
        self.asks[id_] = ask
        self.counts[ask.verb] += 1
        if ask.verb == "admit":
            self.used += ask.amount
        else:
            self.held += ask.amount
        left = self.cap - self.used - self.held
        self.left_least = left if self.left_least is None else min(left, self.left_least)

    def expire(self, ask):
        self.held -= ask.amount
        ask.state = "expired"
        self.counts[f"{ask.verb} expired"] += 1
        if ask.verb == "lease":
            self.add(max(ask.amount, ask.reported), ask.amount, "reports")

    # --- ends

    def end(self, event):
        """What the sender is told of the end: its state, or why it changed nothing."""
        ask = self.asks.get(event["hold"])
        kind = event["type"]
        is_its_kind = kind == "HoldReleased" or (kind == "LeaseSettled") == (ask is not None and ask.verb == "lease")
        if ask is None or ask.verb == "admit" or not is_its_kind:
            return "unknown"
        amount = event.get("amounts", {}).get(self.meter, 0)
        if ask.state == "open":
            return self.end_open(ask, event, amount)
        if ask.state == "expired" and kind != "HoldReleased":
            return self.end_expired(ask, event, amount)
        self.counts["closed already"] += 1
        return "closed"

    def end_open(self, ask, event, amount):
        if event["type"] == "LeaseSettled" and not event.get("final"):
            ask.reported = amount
            self.counts["reports"] += 1
            return "open"
        self.held -= ask.amount
        ask.state = "released" if event["type"] == "HoldReleased" else "settled"
        ask.closed_by = event["id"]
        self.counts[f"{ask.verb} {ask.state}"] += 1
        if ask.state == "settled" and not self.is_gauge:
            self.add(amount, ask.amount, "settling")
        return ask.state

    def end_expired(self, ask, event, amount):
        """It has been given back: nothing of it is granted any more, but of a lease what that was charged with."""
        charged = max(ask.amount, ask.reported) if ask.verb == "lease" else 0
        ask.state = "settled"
        ask.closed_by = event["id"]
        self.counts[f"{ask.verb} settled late"] += 1
        if not self.is_gauge:
            self.add(max(amount - charged, 0), 0, "settling late")
        return "settled"

    # --- facts

    def amount_of(self, event):
        is_operation = event["type"] in ("VectorsAdded", "VectorsSearched")
        return {"llm_calls": event.get("llm_calls", 1) if event["type"] == "TurnRecorded" else 0,
                "operations": 1 if is_operation else 0,
                "searches": 1 if event["type"] == "VectorsSearched" else 0,
                "vectors": event.get("vectors_delta", 0)}[self.meter]

    def fact(self, event):
        amount = self.amount_of(event)
        ask = self.asks.get(event.get("ask"))
        if ask is None or not self.is_named(ask, event):
            self.add(amount, 0, "facts that name none")
        elif ask.verb == "hold":
            self.held -= ask.amount
            ask.state, ask.closed_by = "settled", event["id"]
            self.counts["hold settled by a fact"] += 1
            self.add(amount, ask.amount, "facts")
        elif ask.verb == "admit":
            ask.is_spent = True
            self.counts["admit spent"] += 1
            self.add(max(amount - ask.amount, 0), 0, "facts of an admit")
        else:
            self.counts["fact of a lease"] += 1  # which has spoken for it

    @staticmethod
    def is_named(ask, event):
        if ask.user not in ("", event["user"]) or (ask.project and event.get("project", ask.project) != ask.project):
            return False
        return (ask.state == "open" or ask.state == "admitted" and not ask.is_spent
                or ask.verb == "lease" and ask.state in ("settled", "expired"))


class Ledger:
    """Folds the records of one partition and looks at every verdict and every sum."""

    def __init__(self, told):
        self.told = told
        self.caps = {}        # by tenant
        self.ends = {}        # what came of each end and fact, by (tenant, id)
        self.seen = set()
        self.due = []         # (when, tenant, id) of holds and leases, the earliest first
        self.now_us = 0
        self.records = self.judged = 0
        self.wrong = []

    def fold(self, record):
        self.records += 1
        self.now_us = max(self.now_us, microseconds(record["append_time"]))
        self.expire_due()
        event = record["event"]
        key = (event.get("tenant"), event["id"])
        if key not in self.seen:
            self.seen.add(key)
            self.fold_first(key, event)
        for tenant, cap in self.caps.items():
            if cap.granted > cap.cap:
                self.wrong.append(f"offset {record['offset']}: {cap.granted} of {tenant}'s {cap.cap} are granted")
            if cap.held < 0:
                self.wrong.append(f"offset {record['offset']}: {cap.held} of {tenant}'s are held")

    def expire_due(self):
        while self.due and self.due[0][0] <= self.now_us:
            _, tenant, id_ = heapq.heappop(self.due)
            ask = self.caps[tenant].asks[id_]
            if ask.state == "open":
                self.caps[tenant].expire(ask)

    def fold_first(self, key, event):
        tenant, kind = event.get("tenant"), event["type"]
        if kind in ("LimitOverridden", "QuotaSet"):
            limit, = event["limits"]
            self.caps.setdefault(tenant, Cap(limit["meter"], limit["window"])).cap = limit["cap"]
        elif kind in VERBS:
            self.judge(key, event, self.caps[tenant])
        elif kind in ("HoldSettled", "HoldReleased", "LeaseSettled"):
            self.ends[key] = self.caps[tenant].end(event)
        elif kind in ("TurnRecorded", "VectorsAdded", "VectorsSearched"):
            self.caps[tenant].fact(event)
            self.ends[key] = "applied"
        elif kind not in ("Genesis", "Tick", "LimitCrossed"):
            self.wrong.append(f"a {kind} that nobody sent")

    def judge(self, key, event, cap):
        """Once from what stands, and once from what was told; what was told goes on."""
        self.judged += 1
        amount = event["amounts"][cap.meter]
        verdict = {"allowed": cap.used + cap.held + amount <= cap.cap, "judged_us": self.now_us, "cap": cap.cap,
                   "used": cap.used, "held": cap.held, "asked": amount}
        answer = self.told.get(key)
        if answer is None:
            self.wrong.append(f"ask {key} was never answered")
            return
        limit, = answer["limits"]
        told = {"allowed": answer["allowed"], "judged_us": microseconds(answer["judged_at"]),
                **{name: int(limit[name]) for name in ("cap", "used", "held", "asked")}}
        if told != verdict:
            self.wrong.append(f"ask {key} was told {told}; it is {verdict}")
        if not told["allowed"]:
            cap.counts["refused"] += 1
            return
        ask = Ask(VERBS[event["type"]], event, amount, self.now_us)
        cap.take(key[1], ask)
        if ask.due_us is not None:
            heapq.heappush(self.due, (ask.due_us, *key))
