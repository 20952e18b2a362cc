"""Holds live answers to consumers/http/openapi.yaml: a route, a field or a status that the document does not have fails.

    openapi_test.py --server 127.0.0.1:8780 [--document FILE]

Starts nothing itself: it calls every route of a running server, with good and with bad input, in a tenant of its own.
Other tests import Document and check their own answers:

    document = Document.load()
    document.check("GET", "/v1/consumption/summary", 200, "application/json", body)
"""

import argparse
import http.client
import json
import os
import re
import socket
import struct
import sys
import uuid

import jsonschema
import yaml

DEFAULT_DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "consumers", "http", "openapi.yaml")
METHODS = ("get", "post", "put", "delete", "patch", "head", "options")
# What never becomes a request, or fails in any: documented once, in the document's description.
EVERYWHERE = (400, 405, 408, 413, 414, 417, 431, 503, 505)


class Mismatch(AssertionError):
    """An answer that is not in the document."""


class Document:
    def __init__(self, text):
        self.tree = yaml.safe_load(text)
        self.text = text
        self.seen = set()  # (method, path, status) that a check has met

    @classmethod
    def load(cls, path=DEFAULT_DOCUMENT):
        with open(path, encoding="utf-8") as file:
            return cls(file.read())

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            found = self.tree
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def routes(self):
        return [(method.upper(), path) for path, item in self.tree["paths"].items() for method in item if method in METHODS]

    def parameters(self, method, path):
        return [self.resolve(each) for each in self.tree["paths"][path][method.lower()].get("parameters", [])]

    def path_of(self, target):
        """The template that a target's path has, or None."""
        path = target.split("?")[0]
        for template in self.tree["paths"]:
            if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path):
                return template
        return None

    def check(self, method, path_template, status, content_type, body):
        """Raises Mismatch unless the document has this answer. body: bytes or str."""
        if isinstance(body, bytes):
            body = body.decode("utf-8")
        where = f"{method} {path_template} -> {status}"
        item = self.tree["paths"].get(path_template)
        if item is None:
            return self._check_problem(where, status, content_type, body, (404,))
        operation = item.get(method.lower())
        if operation is None:
            return self._check_problem(where, status, content_type, body, (405,))
        response = self.resolve(operation["responses"].get(str(status)))
        self.seen.add((method, path_template, status))
        if response is None:
            return self._check_problem(where, status, content_type, body, EVERYWHERE)
        media = content_type.split(";")[0].strip()
        if media not in response["content"]:
            raise Mismatch(f"{where}: {media} is not among {list(response['content'])}")
        schema = response["content"][media].get("schema", {})
        if media.endswith("json"):
            self._validate(where, schema, json.loads(body))
        return None

    def _check_problem(self, where, status, content_type, body, allowed):
        if status not in allowed:
            raise Mismatch(f"{where}: the document has no such answer: {body[:300]}")
        if content_type.split(";")[0] != "application/problem+json":
            raise Mismatch(f"{where}: an error must be application/problem+json, not {content_type}")
        problem = json.loads(body)
        self._validate(where, {"$ref": "#/components/schemas/Problem"}, problem)
        if problem["status"] != status:
            raise Mismatch(f"{where}: the problem says {problem['status']}")

    def _validate(self, where, schema, value):
        whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": self.tree["components"], "allOf": [schema]}
        errors = list(jsonschema.Draft202012Validator(whole).iter_errors(value))
        if errors:
            best = jsonschema.exceptions.best_match(errors)
            raise Mismatch(f"{where}: at /{'/'.join(map(str, best.absolute_path))}: {best.message[:500]}")


class Client:
    def __init__(self, server, document, tenant):
        self.host, _, port = server.rpartition(":")
        self.port = int(port)
        self.document = document
        self.tenant = tenant
        self.connection = None
        self.calls = 0

    def call(self, method, target, expect, body=None, headers=None):
        """Calls, holds the answer to the document, and wants one of the statuses; answers (status, headers, body)."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        sent = {"Odometer-Tenant": self.tenant}
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        self.connection.request(method, target, body=body, headers=sent)
        response = self.connection.getresponse()
        data = response.read()
        self.calls += 1
        template = self.document.path_of(target) or target.split("?")[0]
        self.document.check(method, template, response.status, response.getheader("Content-Type"), data)
        expected = expect if isinstance(expect, tuple) else (expect,)
        if response.status not in expected:
            raise Mismatch(f"{method} {target}: {response.status}, expected {expected}: {data[:500]!r}")
        is_json = "json" in response.getheader("Content-Type")
        return response.status, dict(response.getheaders()), json.loads(data) if is_json else data

    def get(self, target, expect=200):
        return self.call("GET", target, expect)[2]

    def raw(self, request, shut=True):
        """Bytes as they are; answers (status, body) of the first response, or None when there is none."""
        with socket.create_connection((self.host, self.port), timeout=30) as plain:
            plain.sendall(request)
            if shut:
                plain.shutdown(socket.SHUT_WR)
            answer = b""
            while True:
                try:
                    part = plain.recv(65536)
                except ConnectionResetError:
                    break
                if not part:
                    break
                answer += part
        self.calls += 1
        match = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
        return (int(match.group(1)), answer.partition(b"\r\n\r\n")[2]) if match else None


def turn(key, **more):
    event = {
        "type": "TurnRecorded", "key": key, "event_time": "2023-11-16T18:17:03Z", "user": "ann", "session": "s1",
        "provider": "p", "model_requested": "m", "model_served": "m-large", "status": "success",
        "tokens": {"input_uncached": 10, "cache_read": 1, "output": 5, "reasoning": 2}, "llm_calls": 2, "duration_us": 1500,
        "time_to_first_token_us": 200, "provided_cost_nano_usd": 12345, "turn_number": 1,
        "rag": {"used": True, "guided": False, "collections": ["c"], "output_tokens_saved": 3},
        "service": "chat", "operation": "ask", "metadata": {"k": [1, {"deep": None}]}, "query_digest": "00ff", "query_length_bytes": 17,
    }
    event.update(more)
    return event


def every_type():
    time = "2023-11-16T18:20:00.5Z"
    vector = {"event_time": time, "user": "ann", "project": "docs", "collection": "c", "status": "success", "service": "db"}
    who = {"event_time": time, "user": "ann"}
    first = turn("t1")
    amended_id = str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_DNS, "api"), "t1"))
    original = {"id": amended_id, "event_time": "2023-11-16T18:17:03Z", "user": "ann", "session": "s1", "provider": "p", "model": "m-large"}
    delta = {"input_uncached": -1, "output": 4}
    interaction = {"event_time": time, "user": "ann", "session": "s1", "kind": "cost-event", "status": "completed", "service": "x",
                   "tokens": {"output": 1}, "db_operations": 1, "api_calls": 2, "compute_us": 3, "duration_us": 4,
                   "provided_cost": {"ai_tokens_nano_usd": 1, "db_ops_nano_usd": 2, "api_calls_nano_usd": 3, "compute_time_nano_usd": 4}}
    return [
        first,
        turn("t2", session="s2", status="failed", tokens={"input_uncached": 9007199254740995}, provided_cost_nano_usd=None),
        {"type": "TurnAmended", "key": "a1", "event_time": time, "original": original, "tokens_delta": delta, "llm_calls_delta": 1,
         "provided_cost_delta_nano_usd": -5, "rag_output_tokens_saved_delta": 1, "reason": "billed"},
        {"type": "TurnAmended", "key": "a2", "event_time": time, "original": {**original, "id": str(uuid.UUID(int=1))}, "tokens_delta": delta},
        {"type": "SessionStarted", "key": "s1", **who, "session": "s1", "name": "first", "metadata": {}},
        {"type": "SessionRenamed", "key": "s2", **who, "session": "s1", "name": "second"},
        {"type": "SessionSummarized", "key": "s3", **who, "session": "s1", "summary": "short", "key_points": ["a", "b"]},
        {"type": "SessionEnded", "key": "s4", **who, "session": "s1"},
        {"type": "InteractionRecorded", "key": "i1", **interaction},
        {"type": "InteractionBatch", "key": "i2", "event_time": time, "items": [{**interaction, "key": "b1"}, {**interaction, "key": "b2", "user": "bob"}]},
        {"type": "CaseChampioned", "key": "k1", **who, "collection": "c", "case_id": "7"},
        {"type": "CollectionSubscribed", "key": "k2", **who, "collection": "c"},
        {"type": "CollectionSubscribed", "key": "k3", **who, "collection": "d"},
        {"type": "CollectionUnsubscribed", "key": "k4", **{**who, "event_time": "2023-11-16T18:21:00Z"}, "collection": "d"},
        {"type": "ConfigChanged", "key": "c1", **who, "setting": "model", "metadata": {"to": "m"}},
        {"type": "CollectionCreated", "key": "v1", **vector},
        {"type": "VectorsAdded", "key": "v2", **vector, "requested": 5, "succeeded": 5, "vectors_delta": 5, "bytes_delta": 500, "payload_bytes": 600},
        {"type": "VectorsUpserted", "key": "v3", **vector, "requested": 2, "succeeded": 2, "vectors_delta": 1, "inserted": 1, "duration_us": 0},
        {"type": "VectorsDeleted", "key": "v4", **vector, "requested": 1, "succeeded": 1, "vectors_delta": -1, "bytes_delta": -10},
        {"type": "VectorsSearched", "key": "v5", **vector, "requested": 1, "succeeded": 1, "results": 3, "had_filter": True},
        {"type": "VectorsCounted", "key": "v6", **vector, "requested": 1, "succeeded": 1, "counted_vectors": 9, "counted_bytes": 900},
        {"type": "CollectionDropped", "key": "v7", **{**vector, "event_time": "2023-11-16T19:30:00Z"}},
    ]


def post_good(client):
    events = every_type()
    _, _, report = client.call("POST", "/v1/events?wait=folded&wait_ms=10000", 202, events)
    assert report["refused"] == 0, [item for item in report["items"] if item["status"] == "refused"]
    assert report["outcomes"]["applied"] == len(events), report["outcomes"]
    again = client.call("POST", "/v1/events?wait=folded", 202, events)[2]
    assert again["outcomes"]["duplicate"] == len(events), again["outcomes"]
    mixed = client.call("POST", "/v1/events", 202, [turn("t3", user="bob"), {"type": "Nothing"}])[2]
    assert (mixed["accepted"], mixed["refused"]) == (1, 1)
    lines = "".join(json.dumps(event) + "\n" for event in (turn("t4"), turn("t5")))
    client.call("POST", "/v1/events?wait=folded", 202, lines, {"Content-Type": "application/x-ndjson"})
    client.call("POST", "/v1/events?wait=folded", 202, turn("t6", event_time=1700158623000000))
    changed = client.call("POST", "/v1/events?wait=folded", 202, turn("t6", user="eve"))[2]
    assert changed["outcomes"]["quarantined"] == 1 and changed["items"][0]["reason"] == "conflict", changed
    return client.call("POST", "/v1/events?wait=folded&wait_ms=0", 202, turn("t7"))[2]["position"]


def post_bad(client):
    own_types = ("Tick", "Genesis", "GapReported", "LimitCrossed")
    own = client.call("POST", "/v1/events", 422, [{"type": name} for name in own_types])[2]
    assert {item["reason"] for item in own["items"]} == {"wrong_door"} and own["position"] is None
    refused = [{}, {"type": "TurnRecorded"}, turn("x", user=""), turn("x", nonsense=1), turn("x", tokens={"output": -1}),
               turn("x", tokens={"output": 1.5}), turn("x", tokens={"output": 2**80}), turn("x", event_time="yesterday"),
               turn("x", tenant="another"), turn("x", user="u" * 257), turn("x", status="fine")]
    report = client.call("POST", "/v1/events", 422, refused)[2]
    assert report["refused"] == len(refused), report
    for body in ("", "[]", "nonsense", '{"type":', "[1]x", '"text"', b"\xff\xfe", "[" * 100):
        client.call("POST", "/v1/events", (400, 422), body)
    client.call("POST", "/v1/events", 400, [turn(f"m{i}") for i in range(1001)])
    client.call("POST", "/v1/events", 415, "a=1", {"Content-Type": "application/x-www-form-urlencoded"})
    client.call("POST", "/v1/events?wait=never", 400, turn("x"))
    client.call("POST", "/v1/events?wait=folded&wait=folded", 400, turn("x"))
    client.call("POST", "/v1/events", 400, turn("x"), {"Odometer-Tenant": "t" * 257})


def read_good(client, position):
    at = f"min_position={position}"
    summary = client.get(f"/v1/consumption/summary?user=ann&{at}")
    assert summary["collections_subscribed"] == 1 and summary["subscribed_collections"] == ["c"], summary
    system = client.get(f"/v1/consumption/system-summary?{at}")
    assert system["users"] == 2, system["users"]
    assert sum(share["turns_share_hundredths"] for share in system["models"]) == 10000
    for sort in ("total_tokens", "cost", "success_rate", "requests", "last_used", "user"):
        for order in ("asc", "desc"):
            assert client.get(f"/v1/consumption/users?sort={sort}&order={order}&{at}")["total_count"] == 2
    assert client.get(f"/v1/consumption/users?period=2023-11&{at}")["total_count"] == 2
    assert client.get(f"/v1/consumption/users?period=2020-01&{at}")["total_count"] == 0
    users = pages(client, "/v1/consumption/users?limit=1")
    assert len(users) == 2
    turns = pages(client, "/v1/consumption/turns?user=ann&limit=2")
    total = sum(int(row["total_tokens"]) for row in turns)
    interactions = 2  # of one output token each
    assert total + interactions == int(summary["total_tokens"]), (total, summary["total_tokens"])
    assert [row["amended"] for row in turns].count(True) == 1 and [row["unmatched"] for row in turns].count(True) == 1
    assert len(pages(client, "/v1/consumption/turns?user=ann&session=s1&limit=3")) == 6
    sessions = pages(client, "/v1/consumption/sessions?user=ann&limit=1")
    assert [row["session"] for row in sessions] == ["s1", "s2"], sessions
    read_projects(client)
    read_admin(client, position)


def read_projects(client):
    usage = client.get("/v1/projects/docs/usage")
    assert usage["total"]["count"] == 7 and usage["lifetime"]["events"] == 7, usage["total"]
    for filters, count in (("operation=search", 1), ("status=failure", 0), ("user=ann", 7), ("user=bob", 0),
                           ("from=2023-11-16T18:20:00.5Z&to=2023-11-16T18:20:00.500001Z", 6), ("from=2023-11-16T18:20:00.500001Z", 1),
                           ("to=1700158800500000", 0), ("from=2023-11-16T19:20:00+01:00&to=2023-11-16T19:00:00Z", 6)):
        assert client.get(f"/v1/projects/docs/usage?{filters}")["total"]["count"] == count, filters
    assert len(pages(client, "/v1/projects/docs/operations?limit=3")) == 7
    assert len(pages(client, "/v1/projects/docs/operations?limit=3&user=ann")) == 7
    assert pages(client, "/v1/projects/docs/operations?user=bob") == []
    assert client.get("/v1/users/ann/vector-usage?limit=1")["total_count"] == 1
    assert client.get("/v1/users/bob/vector-usage")["total_count"] == 0


def read_admin(client, position):
    partition = position[1:].split(".")[0]
    quarantined = client.get(f"/v1/admin/quarantine?partition={partition}&limit=1")
    assert quarantined["data"][0]["reason"], quarantined
    pages(client, "/v1/admin/quarantine?limit=1")
    digest = client.get(f"/v1/admin/digest?tenant={client.tenant}&min_position={position}")
    assert digest["tenant_digest"], digest
    client.get("/v1/admin/digest")
    assert client.get(f"/v1/admin/digest?tenant=never-{client.tenant}")["tenant_digest"] is None
    first = client.get(f"/v1/admin/events?position=p{partition}.0&limit=1")
    assert first["data"][0]["event"]["type"] == "Genesis"
    client.get(f"/v1/admin/events?position={first['next_position']}&limit=1000")
    client.get("/v1/admin/events")
    client.call("POST", "/v1/admin/checkpoint", 200, {"name": f"c-{client.tenant}"})
    client.call("POST", "/v1/admin/checkpoint", 409, {"name": f"c-{client.tenant}"})
    client.call("POST", "/v1/admin/checkpoint", 200, b"", {"Content-Type": None})
    records = struct.pack("<I", 3) + b"abc" + struct.pack("<I", 0xFFFFFFFF)
    status, _, report = client.call("POST", f"/v1/admin/records?partition={partition}", (202, 404), records)
    if status == 202:
        client.get(f"/v1/admin/quarantine?min_position={report['position']}")
        assert client.get(f"/v1/admin/events?position=p{partition}.{report['first_offset']}")["data"][0]["unreadable"] == "not_an_event"
        for bad in (b"", b"\x01", b"\x05\x00\x00\x00ab"):
            client.call("POST", f"/v1/admin/records?partition={partition}", 400, bad)
        client.call("POST", "/v1/admin/records", 400, records)
    for path in ("/livez", "/readyz", "/version", "/metrics"):
        client.get(path)
    served = client.call("GET", "/openapi.yaml", (200, 404))[2]
    if not isinstance(served, dict):
        assert served.decode() == client.document.text, "the served document is another one"


def pages(client, target):
    rows, cursor = [], ""
    while True:
        separator = "&" if "?" in target else "?"
        page = client.get(target + (f"{separator}cursor={cursor}" if cursor else ""))
        rows += page["data"]
        cursor = page["next_cursor"]
        assert page["has_more"] == (cursor is not None)
        if cursor is None:
            return rows


BAD_TARGETS = {
    400: ["/v1/consumption/summary", "/v1/consumption/summary?user=", "/v1/consumption/summary?user=ann&user=bob",
          "/v1/consumption/summary?user=ann&uesr=x", "/v1/consumption/summary?user=%zz", "/v1/consumption/summary?user=%ff",
          "/v1/consumption/summary?user=ann&min_position=x", "/v1/consumption/summary?user=ann&min_position=p999.1",
          "/v1/consumption/summary?user=ann&wait_ms=-1", "/v1/consumption/users?sort=name", "/v1/consumption/users?order=up",
          "/v1/consumption/users?limit=0", "/v1/consumption/users?limit=1001", "/v1/consumption/users?limit=x",
          "/v1/consumption/users?period=2023-13", "/v1/consumption/users?cursor=abc", "/v1/consumption/turns",
          "/v1/consumption/turns?user=ann&cursor=%20", "/v1/consumption/turns?user=ann&limit=501", "/v1/consumption/sessions",
          "/v1/projects/docs/usage?operation=fly", "/v1/projects/docs/usage?status=fine", "/v1/projects/docs/usage?from=soon",
          "/v1/projects/docs/usage?from=2&to=1", "/v1/projects/docs/operations?limit=x", "/v1/users/" + "u" * 257 + "/vector-usage",
          "/v1/admin/quarantine?partition=999", "/v1/admin/events?position=x", "/v1/admin/events?partition=0&position=p1.0",
          "/v1/admin/events?position=p0.99999999", "/v1/admin/digest?tenant=", "/livez?x=1", "/version?x=1"],
    404: ["/", "/v1", "/v1/", "/v1/consumption/summary/", "/livez/", "/v2/events", "/v1/consumption/summary?user=never-seen",
          "/v1/consumption/turns?user=never-seen", "/v1/consumption/sessions?user=never-seen", "/v1/projects/never-seen/usage",
          "/v1/projects/never-seen/operations", "/v1/users/never-seen/vector-usage"],
}


def limits(client):
    """Definitions, asks and how limits stand; every answer held to the document."""
    why = {"who": "root", "why": "a test"}
    hourly = {"meter": "requests", "window": "rolling_hour", "cap": 2}

    def changed(method, target, body, expect=200, **headers):
        return client.call(method, target, expect, {**why, **body}, headers)

    _, made, _ = changed("PUT", "/v1/profiles/Gold", {"limits": [hourly], "description": "for some"}, **{"If-None-Match": "*"})
    changed("PUT", "/v1/profiles/Gold", {"limits": []}, 412, **{"If-None-Match": "*"})
    changed("PUT", "/v1/profiles/Gold", {"limits": [hourly]}, **{"If-Match": made["ETag"]})
    changed("PUT", "/v1/profiles/Gold", {"limits": [hourly]}, 412, **{"If-Match": made["ETag"]})
    changed("PUT", "/v1/profiles/Gold", {"limits": [hourly]}, 400, **{"If-Match": "nonsense"})
    changed("PUT", "/v1/profiles/Gold", {"limits": [{"meter": "requests", "window": "fortnight", "cap": 1}]}, 422)
    changed("PUT", "/v1/users/ann/profile", {"profile": "Gold"})
    changed("PUT", "/v1/users/ann/profile", {"profile": "None"}, 422)
    changed("DELETE", "/v1/profiles/Gold", {}, 409)
    changed("PUT", "/v1/profiles/Nobody", {"limits": [hourly]})
    changed("DELETE", "/v1/profiles/Nobody", {})
    changed("PUT", "/v1/fallback-profile", {"profile": "Free"})
    changed("PUT", "/v1/users/bob/override", {"limits": [{**hourly, "cap": 0}]})
    changed("PUT", "/v1/override", {"limits": []})
    changed("PUT", "/v1/quotas", {"level": "project", "project": "docs", "limits": [{"meter": "vectors", "window": "gauge", "cap": 10}]})
    changed("PUT", "/v1/quotas", {"level": "project", "limits": []}, 422)
    changed("PUT", "/v1/policy/enforcement", {"enforcement": "on"})
    _, _, zoned = changed("PUT", "/v1/policy/zone", {"zone": "Asia/Kolkata", "first_offset_s": 19800})
    at = f"min_position={zoned['position']}"
    assert client.get(f"/v1/profiles/Gold?{at}")["assigned"] == 1
    client.get("/v1/profiles/Nobody", 404)
    assert len(client.get("/v1/profiles")["profiles"]) == 5
    for target in ("/v1/users/ann/profile", "/v1/fallback-profile", "/v1/users/bob/override", "/v1/override",
                   "/v1/overrides", "/v1/quotas", "/v1/policy"):
        client.get(target)

    def asked(verb, body, expect=200):
        return client.call("POST", f"/v1/limits/{verb}", expect, body)[2]

    one = {"user": "ann", "amounts": {"requests": 1}}
    assert asked("check", one)["allowed"] and asked("admit", one)["allowed"]
    assert not asked("admit", {"user": "bob", "amounts": {"requests": 1}})["allowed"]
    hold = asked("reserve", {"user": "ann", "project": "docs", "collection": "c", "amounts": {"vectors": 5}})
    lease = asked("lease", {"user": "ann", "amounts": {"requests": 1}})
    assert hold["allowed"] and lease["allowed"], (hold, lease)
    assert len(client.get(f"/v1/limits/holds?user=ann&min_position={lease['position']}")["holds"]) == 2
    asked(f"holds/{lease['id']}/settle", {"amounts": {"requests": 0}, "final": False})
    assert asked(f"holds/{hold['id']}/settle", {"amounts": {"vectors": 7}})["overrun"] == {"vectors": 2}
    asked(f"holds/{hold['id']}/release", {}, 409)
    asked(f"holds/{lease['id']}/release", {"reason": "not needed"})
    asked(f"holds/{uuid.uuid4()}/settle", {"amounts": {}}, 404)
    asked("holds/nonsense/settle", {}, 400)
    for bad in ({}, {"user": "ann"}, {"user": "ann", "amounts": {"requests": -1}}):
        asked("admit", bad, 422)
    assert client.get("/v1/limits?user=ann")["profile"] == "Gold"
    client.get("/v1/limits?project=docs")
    client.get("/v1/limits", 400)
    client.get("/v1/quota-status?user=ann")
    refused = asked("admit", {"user": "bob", "amounts": {"requests": 1}})
    why_not = client.get(f"/v1/limits/explain?ask={refused['id']}")
    assert not why_not["allowed"] and why_not["answered"]["limits"] == why_not["limits"], why_not
    assert client.get("/v1/limits/explain?user=ann&amounts=requests%3D1,input_tokens%3D5&at=2020-01-01T00:00:00Z")["allowed"]
    assert client.get(f"/v1/limits/explain?user=ann&at_position={zoned['position']}")["moved_by"] is not None
    client.get(f"/v1/limits/explain?ask={uuid.uuid4()}", 404)
    for bad in ("", "?ask=x", "?user=ann&amounts=requests", "?user=ann&amounts=nonsense%3D1", "?user=ann&at=soon", "?user=ann&at_position=p99.1"):
        client.get(f"/v1/limits/explain{bad}", 400)
    near = client.get(f"/v1/consumption/users?threshold=80&{at}")
    assert [row["user"] for row in near["data"]] == ["bob"] and near["data"][0]["limits"][0]["cap"] == 0, near
    client.get("/v1/consumption/users?threshold=80&sort=user", 400)
    client.get("/v1/consumption/users?threshold=0", 400)
    many = {"users": ["ann", "cy"], "from_profile": "Gold", **why}
    preview = client.call("POST", "/v1/profiles/Pro/assign", 200, {**many, "preview": True})[2]
    assert (preview["changed"], preview["position"]) == (2, None), preview
    given = client.call("POST", "/v1/profiles/Pro/assign", 200, many)[2]
    assert (given["changed"], given["refused"]) == (2, 0) and given["users"][0]["profile_before"] == "Gold", given
    assert client.call("POST", "/v1/profiles/Pro/assign", 200, many)[2]["unchanged"] == 2
    client.call("POST", "/v1/profiles/Nope/assign", 422, many)
    client.call("POST", "/v1/profiles/Pro/assign", 400, {"users": ["ann"]})
    client.call("POST", "/v1/profiles/Pro/assign", 400, {**many, "nonsense": 1})
    client.call("POST", "/v1/profiles/Pro/assign", 422, {"users": [str(n) for n in range(10_001)], **why})


def read_bad(client):
    for status, targets in BAD_TARGETS.items():
        for target in targets:
            client.call("GET", target, status)
    for method, path in client.document.routes():
        target = re.sub(r"\{[^}]*\}", "x", path)
        if path == "/v1/admin/records" and client.call("GET", target, (404, 405))[0] == 404:
            continue
        _, headers, _ = client.call("PATCH", target, 405)
        assert method in headers["Allow"], (target, headers)
    cursor = client.get("/v1/consumption/turns?user=ann&limit=1")["next_cursor"]
    client.call("GET", f"/v1/consumption/turns?user=bob&limit=1&cursor={cursor}", 400)
    client.call("GET", f"/v1/consumption/turns?user=ann&limit=1&cursor={cursor[:-2]}", 400)
    position = client.get("/v1/consumption/summary?user=ann")["as_of"]["position"]
    partition, offset = position[1:].split(".")
    _, headers, problem = client.call("GET", f"/v1/consumption/summary?user=ann&wait_ms=50&min_position=p{partition}.{int(offset) + 1000000}", 503)
    assert headers["Retry-After"] and "not folded yet" in problem["detail"], problem
    other = client.call("GET", "/v1/consumption/summary?user=ann", 404, None, {"Odometer-Tenant": "never-" + client.tenant})
    assert "request_id" in other[2]


FRAMING = {
    "both lengths": (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "a bad length": (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n{}", 400),
    "another encoding": (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    "a bad chunk": (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n", 400),
    "a bare LF": (b"GET /livez HTTP/1.1\nHost: x\n\n", 400),
    "a folded line": (b"GET /livez HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
    "a space before the colon": (b"GET /livez HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "a NUL": (b"GET /livez HTTP/1.1\r\nHost: x\x00\r\n\r\n", 400),
    "no host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "another protocol": (b"GET /livez HTTP/3.0\r\nHost: x\r\n\r\n", 400),
    "no target": (b"GET HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "an absolute target": (b"GET http://x/livez HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a long target": (b"GET /livez?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a very long target": (b"GET /" + b"a" * 40000, 414),
    "long headers": (b"GET /livez HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20000 + b"\r\n\r\n", 431),
    "many headers": (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
    "a long body": (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n", 413),
    "a long chunked body": (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4c4b40\r\n" + b"a" * 5000000, 413),
    "another expectation": (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nContent-Length: 2\r\n\r\n{}", 417),
}


def framing(client):
    for name, (request, status) in FRAMING.items():
        answer = client.raw(request)
        if answer is None or answer[0] != status:
            raise Mismatch(f"framing: {name}: {answer}, expected {status}")
        client.document._check_problem(f"framing: {name}", status, "application/problem+json", answer[1].decode(), EVERYWHERE)


def metrics(client):
    text = client.get("/metrics").decode()
    for line in text.splitlines():
        if not line.startswith("#") and not re.fullmatch(r'[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.]+', line):
            raise Mismatch(f"metrics: {line}")
    if client.tenant in text or "ann" in re.findall(r'"([^"]*)"', text):
        raise Mismatch("metrics: a label names a tenant or a user")


def unmet(document):
    """Answers of 200 and 202 that no call has met."""
    return [f"{method} {path} {status}" for method, path in document.routes()
            for status in document.tree["paths"][path][method.lower()]["responses"]
            if status in ("200", "202") and (method, path, int(status)) not in document.seen]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--server", required=True, metavar="HOST:PORT")
    arguments.add_argument("--document", default=DEFAULT_DOCUMENT, metavar="FILE")
    options = arguments.parse_args()
    document = Document.load(options.document)
    client = Client(options.server.removeprefix("http://"), document, "openapi-" + uuid.uuid4().hex[:12])
    position = post_good(client)
    post_bad(client)
    read_good(client, position)
    limits(client)
    read_bad(client)
    framing(client)
    metrics(client)
    missing = unmet(document)
    print(f"openapi: {client.calls} calls, {len(document.seen)} kinds of answer, all in the document; not met: {missing or 'none'}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Mismatch as mismatch:
        print(f"openapi: {mismatch}", file=sys.stderr)
        sys.exit(1)
