"""What producers that know nothing of Odometer put into its topic: it is set aside with its place and reason, and the
line goes on."""

import harness
import kafka_case
from kafka_case import turn

PARTITIONS = 2

setUpModule = kafka_case.start_broker


class ForeignProducers(kafka_case.KafkaTest):
    def quarantined(self, daemon):
        rows = daemon.get("/v1/admin/quarantine").json["data"]
        return {int(row["offset"]): row["reason"] for row in rows}

    def drained(self, daemon):
        def level():
            metrics = daemon.metrics()
            return metrics["odometer_cursor", "0"] == self.end() and metrics
        return harness.await_true("the fold is at the log's end", level)

    def test_null_payloads_large_records_and_other_times_are_quarantined(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a")
        producer = self.producer()
        producer.produce(self.topic, None, key=b"user-1", partition=0)
        producer.produce(self.topic, b"x" * 1_000_000, partition=0)
        producer.produce(self.topic, b"not an event", partition=0, timestamp=1)
        producer.flush(30)
        self.post(daemon, "b")
        self.drained(daemon)
        self.assertEqual(self.turns(daemon), 2)
        reasons = self.quarantined(daemon)
        self.assertEqual(reasons[2], "null_payload")
        self.assertEqual(reasons[3], "too_large")
        self.assertEqual(sorted(reasons), [2, 3, 4])
        # The broker's time counts, not the producer's.
        row = [row for row in daemon.get("/v1/admin/quarantine").json["data"] if int(row["offset"]) == 4][0]
        self.assertGreater(row["append_time"], "2026")

    def test_control_records_and_aborted_transactions_are_holes(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a")
        producer = self.producer(**{"transactional.id": self.topic})
        producer.init_transactions(60)
        producer.begin_transaction()
        producer.produce(self.topic, b"committed", partition=0)
        producer.commit_transaction(60)
        producer.begin_transaction()
        producer.produce(self.topic, b"aborted", partition=0)
        producer.flush(30)
        producer.abort_transaction(60)
        self.post(daemon, "b")
        metrics = self.drained(daemon)
        # Genesis, a, committed and its marker, aborted, and then its marker and b in either order.
        self.assertEqual(self.turns(daemon), 2)
        self.assertEqual(metrics["odometer_cursor", "0"], 7)
        self.assertEqual(metrics["odometer_holes", "0"], 3)
        self.assertEqual(list(self.quarantined(daemon)), [2])
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(harness.audit(self.data, self.root / "holes-work")[0], 0)
        daemon.start()
        self.post(daemon, "c")
        self.assertEqual(self.turns(daemon), 3)

    def test_an_open_transaction_holds_the_fold_up_and_is_not_taken_for_a_cut(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a")
        producer = self.producer(**{"transactional.id": self.topic})
        producer.init_transactions(60)
        producer.begin_transaction()
        producer.produce(self.topic, b"open", partition=0)
        producer.flush(30)
        answer = daemon.post([turn("b")])
        self.assertEqual((answer.status, answer.json["outcomes"]["pending"]), (202, 1), answer)
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        metrics = daemon.metrics()
        self.assertEqual(metrics["odometer_log_end_offset", "0"], 4)
        self.assertEqual(metrics["odometer_cursor", "0"], 2)
        self.assertNotEqual(daemon.ready().json.get("failing_step"), "verify")
        producer.abort_transaction(60)
        harness.await_true("the turn behind it is folded", lambda: self.turns(daemon) == 2)
        daemon.await_ready(200, 30)

    def test_a_log_that_ends_with_a_marker_is_drained(self):
        self.create()
        daemon = self.start()
        producer = self.producer(**{"transactional.id": self.topic})
        producer.init_transactions(60)
        producer.begin_transaction()
        producer.produce(self.topic, b"committed", partition=0)
        producer.commit_transaction(60)
        # The marker comes some time after the commit is answered.
        harness.await_true("the marker is a hole", lambda: daemon.metrics()["odometer_holes", "0"] == 1)
        self.assertEqual(daemon.metrics()["odometer_consumer_lag_records", "0"], 0)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(harness.audit(self.data, self.root / "marker-work")[0], 0)
        daemon.start()
        self.assertEqual(daemon.metrics()["odometer_holes", "0"], 1)

    def test_of_what_kafkas_own_partitioner_placed_exactly_the_misplaced_is_quarantined(self):
        tenants = [f"tenant-{i}" for i in range(16)]
        self.create(PARTITIONS)
        daemon = self.start()
        for tenant in tenants:
            self.assertEqual(daemon.post([turn("a")], tenant).status, 202)
        daemon.close()
        homes = {event: partition for partition in range(PARTITIONS) for event in self.records(partition)[1:]}
        self.assertEqual((len(homes), len(set(homes.values()))), (len(tenants), PARTITIONS))
        self.delete_topic()
        self.create(PARTITIONS)
        placed = self.place(homes)
        daemon = self.start(self.root / "placed")
        expected = {place for place, event in placed.items() if place[0] != homes[event]}
        self.assertGreater(len(expected), 0)
        self.assertLess(len(expected), len(tenants))
        ends = [self.end(partition) for partition in range(PARTITIONS)]
        harness.await_true("all is folded", lambda: [
            daemon.metrics()["odometer_cursor", str(partition)] for partition in range(PARTITIONS)] == ends)
        rows = daemon.get("/v1/admin/quarantine?limit=100").json["data"]
        self.assertEqual({row["reason"] for row in rows}, {"misplaced"})
        self.assertEqual({(int(row["partition"]), int(row["offset"])) for row in rows}, expected)
        turns = [daemon.summary("ann", tenant).json.get("turns", 0) for tenant in tenants]
        self.assertEqual(sum(turns), len(tenants) - len(expected))

    def place(self, events):
        """Sends each with a key of its own and no partition; gives where each came to."""
        producer, placed = self.producer(partitioner="consistent_random"), {}

        def delivered(error, message):
            self.assertIsNone(error)
            placed[message.partition(), message.offset()] = message.value()

        for number, event in enumerate(events):
            producer.produce(self.topic, event, key=f"user-{number}", on_delivery=delivered)
        self.assertEqual(producer.flush(30), 0)
        self.assertEqual(len(placed), len(events))
        return placed


if __name__ == "__main__":
    harness.main()
