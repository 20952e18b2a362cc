#!/usr/bin/env python3
"""Makes events.ndjson: a small invented week of five people, one event of (nearly) every type.

    python3 generate.py            writes events.ndjson beside this file
    python3 generate.py --check    exit 1 if the file beside it is another one

Everything is fixed: keys, times in November 2023 and amounts, which come from a hash of the event's key. So the file can
be sent again and again and counts once.
"""

import datetime
import hashlib
import json
import pathlib
import sys
import uuid

SOURCE = "demo"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, SOURCE)
MONDAY = datetime.datetime(2023, 11, 13, tzinfo=datetime.timezone.utc)
USERS = ("ana", "ben", "chen", "dora", "eva")
MODELS = (("anthropic", "claude-3-haiku"), ("openai", "gpt-4-turbo"), ("mistral", "mistral-small"))
# Nano-dollars for one token: (input, output). Prices of the demo, not of any provider.
PRICES = {"claude-3-haiku": (250, 1250), "gpt-4-turbo": (10000, 30000), "mistral-small": (1000, 3000)}
PROJECTS = {"handbook": ("policies", "howtos"), "support": ("tickets",)}
TOPICS = ("travel costs", "onboarding", "release plan", "a customer's bug", "holiday rules", "the new office")


def pick(key, low, high):
    """A number in low..high that depends on the key alone."""
    return low + int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % (high - low + 1)


def event_id(key):
    """The id that Odometer derives from source and key."""
    return str(uuid.uuid5(NAMESPACE, key))


def stamp(time):
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def event(type_name, key, time, /, **fields):
    return {"type": type_name, "key": key, "source": SOURCE, "event_time": stamp(time), **fields}


def turn(user, session, number, time):
    key = f"{session}-turn-{number}"
    provider, model = MODELS[pick(key + "model", 0, 2)]
    tokens = {"input_uncached": pick(key + "in", 80, 4000), "output": pick(key + "out", 20, 900)}
    if number > 1:
        tokens["cache_read"] = pick(key + "cache", 0, 6000)
    if pick(key + "thinks", 0, 3) == 0:
        tokens["reasoning"] = tokens["output"] // 3
    fields = {"user": user, "session": session, "turn_number": number, "provider": provider, "model_requested": model,
              "model_served": model, "tokens": tokens, "llm_calls": pick(key + "calls", 1, 4), "status": "success",
              "duration_us": pick(key + "us", 400_000, 9_000_000), "service": "assistant", "operation": "chat"}
    fields["time_to_first_token_us"] = fields["duration_us"] // 8
    fate = pick(key + "fate", 0, 24)
    if fate < 4:
        fields["status"] = ("failed", "error", "cancelled", "timeout")[fate]
        fields["error_type"] = ("tool_failed", "provider_500", "user_cancelled", "deadline")[fate]
    price_in, price_out = PRICES[model]
    if pick(key + "priced", 0, 9) > 0:
        cost = tokens["input_uncached"] * price_in + tokens.get("cache_read", 0) * price_in // 10
        fields["provided_cost_nano_usd"] = cost + tokens["output"] * price_out
    if pick(key + "rag", 0, 1) == 1:
        fields["rag"] = {"used": True, "guided": pick(key + "guided", 0, 1) == 1, "collections": ["policies"],
                         "output_tokens_saved": pick(key + "saved", 0, 300)}
    if number == 1:
        fields["metadata"] = {"client": "web", "locale": "en"}
    return event("TurnRecorded", key, time, **fields)


def amendment(original, number, time):
    """The provider's bill says otherwise, later: what was recorded stays, the difference is added."""
    more = pick(original["key"] + "amend", -15, 40)
    cost = more * PRICES[original["model_served"]][1] if "provided_cost_nano_usd" in original else 0
    joined = {"id": event_id(original["key"]), "event_time": original["event_time"], "user": original["user"],
              "session": original["session"], "provider": original["provider"], "model": original["model_served"],
              "service": original["service"], "operation": original["operation"]}
    return event("TurnAmended", f"amendment-{number}", time, original=joined, tokens_delta={"output": more},
                 provided_cost_delta_nano_usd=cost, reason="the provider's final count")


def sessions():
    events = []
    turns = []
    for person, user in enumerate(USERS):
        for day in range(5):
            session = f"{user}-{day + 1}"
            start = MONDAY + datetime.timedelta(days=day, hours=8 + (person * 2 + day) % 9, minutes=7 * person)
            events.append(event("SessionStarted", f"{session}-start", start, user=user, session=session,
                                name="New conversation"))
            time = start
            count = pick(session + "turns", 7, 14)
            for number in range(1, count + 1):
                time += datetime.timedelta(microseconds=pick(f"{session}-pause-{number}", 20_000_000, 240_000_000))
                turns.append(turn(user, session, number, time))
                events.append(turns[-1])
            topic = TOPICS[pick(session + "topic", 0, len(TOPICS) - 1)]
            later = datetime.timedelta(seconds=30)
            events.append(event("SessionRenamed", f"{session}-rename", time + later, user=user, session=session,
                                name=f"About {topic}"))
            if day % 2 == 0:
                events.append(event("SessionSummarized", f"{session}-summary", time + 2 * later, user=user,
                                    session=session, summary=f"{user} asked about {topic}.",
                                    key_points=[f"{count} turns", f"topic: {topic}"]))
            if day < 4:
                events.append(event("SessionEnded", f"{session}-end", time + 3 * later, user=user, session=session))
    billed = MONDAY + datetime.timedelta(days=6, hours=3)
    for number, original in enumerate(turns[5::12], 1):
        events.append(amendment(original, number, billed + datetime.timedelta(seconds=number)))
    return events


def interaction_fields(key, user, kind):
    fields = {"user": user, "session": f"{user}-1", "kind": kind, "status": "completed", "service": "backend",
              "operation": {"chat": "reply", "db": "query", "api": "lookup", "cost-event": "invoice"}[kind],
              "duration_us": pick(key + "us", 1_000, 800_000)}
    cost = {}
    if kind == "chat":
        fields["model"] = "mistral-small"
        fields["tokens"] = {"input_uncached": pick(key + "in", 50, 900), "output": pick(key + "out", 10, 200)}
        cost["ai_tokens_nano_usd"] = fields["tokens"]["input_uncached"] * 1000 + fields["tokens"]["output"] * 3000
    if kind == "db":
        fields["db_operations"] = pick(key + "db", 1, 30)
        cost["db_ops_nano_usd"] = fields["db_operations"] * 2_000
    if kind == "api":
        fields["api_calls"] = pick(key + "api", 1, 5)
        cost["api_calls_nano_usd"] = fields["api_calls"] * 50_000
    if kind == "cost-event":
        fields["compute_us"] = pick(key + "cpu", 10_000, 5_000_000)
        cost["compute_time_nano_usd"] = fields["compute_us"] * 14
    if pick(key + "fate", 0, 11) == 0:
        fields["status"] = ("failed", "timeout")[pick(key + "how", 0, 1)]
    fields["provided_cost"] = cost
    return fields


def interactions():
    events = []
    kinds = ("chat", "db", "api", "cost-event")
    for number in range(1, 81):
        key = f"interaction-{number}"
        time = MONDAY + datetime.timedelta(hours=9, minutes=83 * number)
        events.append(event("InteractionRecorded", key, time,
                            **interaction_fields(key, USERS[number % 5], kinds[number % 4])))
    for batch in range(1, 6):
        time = MONDAY + datetime.timedelta(days=batch - 1, hours=22)
        items = []
        for number in range(1, 13):
            key = f"batch-{batch}-item-{number}"
            at = time - datetime.timedelta(minutes=13 - number)
            items.append({"key": key, "event_time": stamp(at),
                          **interaction_fields(key, USERS[(batch + number) % 5], kinds[number % 4])})
        events.append(event("InteractionBatch", f"batch-{batch}", time, items=items))
    return events


def knowledge():
    events = []
    for number, user in enumerate(USERS):
        time = MONDAY + datetime.timedelta(hours=7, minutes=number)
        for collection in ("policies", "howtos", "tickets")[:1 + number % 3]:
            events.append(event("CollectionSubscribed", f"{user}-subscribes-{collection}", time, user=user,
                                collection=collection))
        events.append(event("CaseChampioned", f"{user}-champions", time + datetime.timedelta(days=2), user=user,
                            collection="policies", case_id=f"case-{number + 1}"))
        events.append(event("ConfigChanged", f"{user}-config", time + datetime.timedelta(days=1), user=user,
                            project="handbook", setting="answer_language", metadata={"to": "en"}))
    events.append(event("CollectionUnsubscribed", "chen-leaves-tickets", MONDAY + datetime.timedelta(days=3), user="chen",
                        collection="tickets"))
    return events


class Vectors:
    """The vector store of the demo: it keeps count, so that its gauges can be checked by eye."""

    def __init__(self):
        self.events = []
        self.held = {}

    def add(self, type_name, key, time, user, project, collection, delta=0, **fields):
        self.held[collection] = self.held.get(collection, 0) + delta
        deltas = {"vectors_delta": delta, "bytes_delta": delta * 1536 * 4} if delta else {}
        base = {"user": user, "project": project, "collection": collection, "status": "success", **deltas,
                "duration_us": pick(key + "us", 900, 60_000), "service": "vectors", "operation": "sync"}
        self.events.append(event(type_name, key, time, **{**base, **fields}))


def vector_operations():
    store = Vectors()
    for project, collections in PROJECTS.items():
        for collection in collections:
            start = MONDAY + datetime.timedelta(hours=6, minutes=len(store.events))
            store.add("CollectionCreated", f"{collection}-create", start, "ana", project, collection)
            for day in range(5):
                fill(store, project, collection, day)
    sunday = MONDAY + datetime.timedelta(days=6)
    # The host counts for itself and finds three vectors fewer: the difference is booked, not hidden.
    counted = store.held["policies"] - 3
    store.add("VectorsCounted", "policies-count", sunday, "ana", "handbook", "policies", counted_vectors=counted,
              counted_bytes=counted * 1536 * 4)
    store.add("VectorsAdded", "howtos-quota", sunday, "ben", "handbook", "howtos", status="quota_exceeded", requested=500)
    store.add("VectorsAdded", "howtos-failure", sunday + datetime.timedelta(minutes=1), "ben", "handbook", "howtos",
              status="failure", requested=20)
    store.add("CollectionDropped", "tickets-drop", sunday + datetime.timedelta(minutes=2), "eva", "support", "tickets",
              delta=-store.held["tickets"], requested=1, succeeded=1)
    return store.events


def fill(store, project, collection, day):
    morning = MONDAY + datetime.timedelta(days=day, hours=7)
    user = USERS[day]
    key = f"{collection}-{day + 1}"
    count = pick(key + "add", 20, 120)
    store.add("VectorsAdded", f"{key}-add", morning, user, project, collection, delta=count, requested=count,
              succeeded=count, payload_bytes=count * 700)
    changed = pick(key + "upsert", 5, 30)
    new = changed // 3
    store.add("VectorsUpserted", f"{key}-upsert", morning + datetime.timedelta(minutes=9), user, project, collection,
              delta=new, requested=changed, succeeded=changed, inserted=new, payload_bytes=changed * 700)
    for number in range(1, 7):
        found = pick(f"{key}-search-{number}", 0, 10)
        store.add("VectorsSearched", f"{key}-search-{number}", morning + datetime.timedelta(hours=number),
                  USERS[(day + number) % 5], project, collection, requested=10, succeeded=found, results=found,
                  had_filter=number % 2 == 0)
    gone = pick(key + "delete", 1, 8)
    fewer = day == 3
    store.add("VectorsDeleted", f"{key}-delete", morning + datetime.timedelta(hours=10), user, project, collection,
              delta=-gone, requested=gone + (2 if fewer else 0), succeeded=gone,
              status="partial_failure" if fewer else "success")


def text():
    events = sessions() + interactions() + knowledge() + vector_operations()
    events.sort(key=lambda each: (each["event_time"], each["key"]))
    assert len({each["key"] for each in events}) == len(events)
    return "".join(json.dumps(each, ensure_ascii=False, separators=(",", ":")) + "\n" for each in events)


def main(arguments):
    path = pathlib.Path(__file__).with_name("events.ndjson")
    if arguments == ["--check"]:
        is_same = path.read_text(encoding="utf-8") == text()
        print(f"{path.name} {'is' if is_same else 'IS NOT'} what generate.py makes")
        return 0 if is_same else 1
    path.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
