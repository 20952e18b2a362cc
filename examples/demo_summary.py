#!/usr/bin/env python3
"""Prints what a daemon knows of a tenant, and counts it a second time from the log's own records.

    python3 demo_summary.py http://127.0.0.1:8780 [TENANT]     exit 1 if figures and log disagree
"""

import collections
import json
import sys
import urllib.parse
import urllib.request

BUCKETS = ("input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output")


class Daemon:
    def __init__(self, base, tenant):
        self.base = base.rstrip("/")
        self.tenant = tenant
        # A daemon on this machine is not asked through a proxy.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path, **parameters):
        given = {name: value for name, value in parameters.items() if value is not None}
        url = self.base + path + ("?" + urllib.parse.urlencode(given) if given else "")
        request = urllib.request.Request(url, headers={"Odometer-Tenant": self.tenant})
        with self.opener.open(request, timeout=60) as response:
            return json.load(response)

    def records(self):
        """Every record of the tenant's partition, as its log holds it, own records left out."""
        page = self.get("/v1/admin/events", limit=1)
        position = page["start_position"]
        while True:
            page = self.get("/v1/admin/events", position=position, limit=1000)
            for record in page["data"]:
                if record["event"] and record["event"].get("tenant") == self.tenant:
                    yield record["event"]
            if not page["has_more"]:
                return
            position = page["next_position"]


def tokens_of(tokens):
    return sum(int(tokens.get(bucket, 0)) for bucket in BUCKETS)


def recount(daemon):
    """Turns and tokens by reading the log, with nothing of the fold's but the rule that an id counts once."""
    seen = set()
    figures = collections.Counter()
    hours = collections.Counter()
    for event in daemon.records():
        if event["id"] in seen:
            continue
        seen.add(event["id"])
        kind = event["type"]
        if kind == "TurnRecorded":
            figures["requests"] += 1
            hours[event["event_time"][:13]] += 1
            figures["total_tokens"] += tokens_of(event.get("tokens", {}))
        elif kind == "TurnAmended":
            figures["amendments"] += 1
            figures["total_tokens"] += tokens_of(event.get("tokens_delta", {}))
        elif kind == "InteractionRecorded":
            figures["total_tokens"] += tokens_of(event.get("tokens", {}))
        elif kind == "InteractionBatch":
            figures["total_tokens"] += sum(tokens_of(item.get("tokens", {})) for item in event["items"])
    return len(seen), figures, hours


def cost(row):
    """In dollars; what nobody gave a cost for is not free."""
    if int(row["priced_facts"]) == 0:
        return "unpriced"
    nano = int(row["cost_nano_usd"])
    sign = "-" if nano < 0 else ""
    return f"{sign}${abs(nano) // 10**9:,}.{abs(nano) % 10**9:09d}"


def line(name, *values):
    print(f"  {name:<22}" + "".join(f"{value:>18}" for value in values))


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    daemon = Daemon(arguments[0], arguments[1] if len(arguments) == 2 else "default")
    summary = daemon.get("/v1/consumption/system-summary")
    users = daemon.get("/v1/consumption/users", sort="total_tokens", limit=5, period="2023-11")
    events, figures, hours = recount(daemon)

    print(f"tenant {daemon.tenant}, as of {summary['as_of']['position']}")
    line("events", f"{events:,}")
    line("users", f"{int(summary['users']):,}")
    line("sessions", f"{int(summary['sessions']):,}")
    line("turns", f"{int(summary['turns']):,}")
    line("input tokens", f"{int(summary['input_tokens']):,}")
    line("output tokens", f"{int(summary['output_tokens']):,}")
    line("cost that was given", cost(summary))
    line("vector operations", f"{int(summary['vector_operations']):,}")
    line("vectors held", f"{int(summary['vectors']):,}")
    peak, turns = max(hours.items(), key=lambda each: (each[1], each[0]))
    line("peak hour", peak.replace("T", " ") + ":00 UTC", f"{turns:,} turns")
    print("\ntop users of November 2023")
    line("user", "requests", "input tokens", "output tokens", "cost")
    for row in users["data"]:
        line(row["user"], f"{int(row['requests']):,}", f"{int(row['input_tokens']):,}", f"{int(row['output_tokens']):,}",
             cost(row))
    print("\nmodels")
    for model in summary["models"][:6]:
        line(model["name"], f"{int(model['turns']):,} turns", f"{int(model['tokens']):,} tokens")

    print("\ncounted again from the log")
    agree = True
    for name in ("requests", "amendments", "total_tokens"):
        same = figures[name] == int(summary[name])
        agree &= same
        line(name, f"{figures[name]:,}", "the same" if same else f"NOT {int(summary[name]):,}")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
