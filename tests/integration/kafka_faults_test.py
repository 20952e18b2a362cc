"""What befalls a log on a real broker, and what the daemon says: it halts and names what differs, or waits and goes on.
Never a wrong figure: what was committed before is what is answered after."""

import json
import os
import pathlib
import time
import unittest

import confluent_kafka
import confluent_kafka.admin

import harness
import with_kafka


AWAY_S = 600 if os.environ.get("ODOMETER_FULL") else 0  # besides what it takes to notice


def turn(key):
    return harness.turn(key, user="ann", tokens=1)


def setUpModule():
    folder = harness.Folder()
    KafkaTest.root = folder.__enter__()
    unittest.addModuleCleanup(folder.__exit__)
    KafkaTest.kafka = with_kafka.Kafka(KafkaTest.root / "kafka")
    unittest.addModuleCleanup(KafkaTest.kafka.stop)


class KafkaTest(unittest.TestCase):
    """One broker for all tests, a topic and a data directory for each test."""

    def setUp(self):
        self.kafka.start()  # where the last test took it away and failed before it was back
        self.topic = self.id().rsplit(".", 1)[-1].replace("_", "-")
        self.log = f"kafka://{self.kafka.bootstrap}/{self.topic}"
        self.data = self.root / self.topic
        self.admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})

    def create(self, partitions=1):
        done = harness.run_cli("topics", "create", "--log", self.log, "--partitions", partitions)
        self.assertEqual(done.returncode, 0, done.stderr)

    def start(self, data=None):
        daemon = harness.Daemon(data or self.data, "--log", self.log)
        self.addCleanup(daemon.close)
        return daemon

    def refused(self, *words):
        """A start that ends with exit code 5 and says all of this."""
        daemon = harness.Daemon(self.data, "--log", self.log, start=False)
        self.addCleanup(daemon.close)
        daemon.launch()
        self.assertEqual(daemon.wait(), 5, daemon.text())
        for word in words:
            self.assertIn(word, daemon.text())

    def post(self, daemon, *keys):
        answer = daemon.post([turn(key) for key in keys])
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(answer.json["outcomes"]["pending"], 0, answer)

    def turns(self, daemon):
        return daemon.summary("ann").json["turns"]

    def await_topic(self, is_there):
        def seen():
            return (self.topic in self.admin.list_topics(timeout=10).topics) == is_there
        harness.await_true(f"the topic is there: {is_there}", seen)

    def delete_topic(self):
        self.admin.delete_topics([self.topic], operation_timeout=30)[self.topic].result()
        self.await_topic(False)


class TheLogIsAnotherOne(KafkaTest):
    def test_made_anew_while_it_runs_nothing_of_the_new_one_is_counted(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a", "b", "c")
        self.delete_topic()
        self.create()
        answer = daemon.await_ready(503, 60, words="log_id")
        self.assertEqual(answer.json["failing_step"], "verify")
        self.assertEqual(self.turns(daemon), 3)
        refused = daemon.post([turn("d")])
        self.assertEqual((refused.status, refused.json["type"]), (503, "urn:odometer:problem:unavailable"), refused)
        daemon.close()
        self.refused("log_id")

    def test_made_anew_with_more_records_than_the_cursor_nothing_of_them_is_counted(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a", "b", "c")
        self.delete_topic()
        self.create()
        other = self.start(self.root / "other")
        self.post(other, *[f"new-{i}" for i in range(50)])
        daemon.await_ready(503, 60, words="log_id")
        # Again and again: what it reads there it never commits.
        self.post(other, *[f"newer-{i}" for i in range(50)])
        time.sleep(3)
        self.assertEqual(self.turns(daemon), 3)
        self.assertEqual(daemon.metrics()["odometer_cursor", "0"], 4)
        self.assertEqual(self.turns(other), 100)

    def test_deleted_it_says_that_there_is_no_topic(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a")
        self.delete_topic()
        daemon.await_ready(503, 60)
        self.assertEqual(self.turns(daemon), 1)
        self.assertNotEqual(daemon.post([turn("b")]).status, 202)

    def test_with_more_partitions_than_it_was_made_with_both_numbers_are_named(self):
        self.create(2)
        daemon = self.start()
        self.post(daemon, "a")
        new = [confluent_kafka.admin.NewPartitions(self.topic, 3)]
        self.admin.create_partitions(new)[self.topic].result()
        answer = daemon.await_ready(503, 60, words="partitions now")
        self.assertIn("3", answer.json["detail"])
        self.assertIn("2", answer.json["detail"])
        daemon.close()
        self.refused("3 partitions", "expected 2")

    def test_with_settings_that_lose_records_it_is_refused_and_they_are_named(self):
        self.create()
        resource = confluent_kafka.admin.ConfigResource(confluent_kafka.admin.RESOURCE_TOPIC, self.topic)
        resource.set_config("retention.ms", "1000")
        resource.set_config("message.timestamp.type", "CreateTime")
        self.admin.alter_configs([resource])[resource].result()
        self.refused("retention.ms is 1000", "message.timestamp.type is CreateTime")
        done = harness.run_cli("topics", "check", "--log", self.log)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("retention.ms", done.stdout)

    def test_trimmed_past_the_cursor_it_is_refused(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a")
        daemon.close()
        other = self.start(self.root / "trimmed-other")
        self.post(other, "b", "c", "d")
        other.close()
        offsets = self.root / "offsets.json"
        offsets.write_text(json.dumps({"version": 1, "partitions": [
            {"topic": self.topic, "partition": 0, "offset": 4}]}))
        self.kafka.run("tool", "org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", offsets)
        self.refused("Genesis", "trimmed")

    def test_of_another_cluster_at_the_same_address_nothing_is_counted_and_back_again_it_goes_on(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a", "b")
        self.kafka.stop()
        stranger = with_kafka.Kafka(self.root / "stranger", port=self.kafka.port)
        self.addCleanup(stranger.stop)
        stranger.start()
        self.create()
        other = self.start(self.root / "stranger-data")
        self.post(other, *[f"new-{i}" for i in range(20)])
        # It is never posted to, known or not.
        end = other.metrics()["odometer_log_end_offset", "0"]
        for i in range(10):
            self.assertEqual(daemon.post([turn(f"lost-{i}")]).status, 503)
        daemon.await_ready(503, 90, words="log_id")
        self.assertEqual(self.turns(daemon), 2)
        self.assertEqual(other.metrics()["odometer_log_end_offset", "0"], end)
        other.close()
        stranger.stop()
        self.kafka.start()
        daemon.await_ready(200, 90)
        self.post(daemon, "c")
        self.assertEqual(self.turns(daemon), 3)
        self.assertEqual(harness.audit(self.data, self.root / "work")[0], 0)


class TheLogWasCut(KafkaTest):
    def test_below_what_was_folded_it_halts_and_names_the_offset(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a")
        self.post(daemon, "b")
        self.kafka.run("kill", 1)
        # The last batch is gone from the broker's disk, as after a power loss that it had not synced.
        folder = pathlib.Path(self.kafka.folder) / "node1/data" / f"{self.topic}-0"
        segment = folder / "00000000000000000000.log"
        with open(segment, "r+b") as file:
            file.truncate(segment.stat().st_size - 20)
        for index in folder.glob("*index"):
            index.unlink()
        (pathlib.Path(self.kafka.folder) / "node1/data/recovery-point-offset-checkpoint").unlink(missing_ok=True)
        self.kafka.run("restart", 1)
        answer = daemon.await_ready(503, 90, words="offset 2")
        self.assertEqual(answer.json["failing_step"], "verify")
        self.assertEqual(self.turns(daemon), 2)
        # What takes its place is not taken for it.
        done = daemon.post([turn("c")])
        self.assertEqual(self.turns(daemon), 2, done)


class TheBrokerIsAway(KafkaTest):
    def test_at_the_start_readyz_says_what_is_waited_for_and_it_starts_by_itself(self):
        self.create()
        self.kafka.stop()
        daemon = harness.Daemon(self.data, "--log", self.log, start=False)
        self.addCleanup(daemon.close)
        (self.data / "http.address").unlink(missing_ok=True)
        daemon.launch()
        daemon.host = harness.await_true("an address", lambda: self.address_of(daemon))
        answer = daemon.ready()
        self.assertEqual(answer.status, 503)
        self.assertIn(self.kafka.bootstrap, answer.json["detail"])
        self.assertEqual(daemon.get("/livez").status, 200)
        self.assertEqual(daemon.get("/v1/consumption/users").status, 503)
        self.kafka.start()
        daemon.await_ready(200, 90)
        self.post(daemon, "a")

    @staticmethod
    def address_of(daemon):
        path = daemon.data_dir / "http.address"
        return path.exists() and path.read_text().strip()

    def test_for_a_while_it_says_so_refuses_posts_and_goes_on_by_itself(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a")
        self.kafka.stop()
        daemon.await_ready(503, 30)
        self.assertEqual(self.turns(daemon), 1)
        refused = daemon.post([turn("b")])
        self.assertEqual(refused.status, 503, refused)
        back = time.monotonic() + AWAY_S
        while time.monotonic() < back:
            self.assertEqual(daemon.ready().status, 503)
            self.assertEqual(self.turns(daemon), 1)
            time.sleep(1)
        self.kafka.start()
        daemon.await_ready(200, 90)
        self.post(daemon, "b")
        self.assertEqual(self.turns(daemon), 2)
        self.assertEqual(daemon.stop(), 0)

    def test_while_one_waits_for_it_a_second_daemon_on_the_directory_is_refused(self):
        self.create()
        self.kafka.stop()
        self.addCleanup(self.kafka.start)
        first = harness.Daemon(self.data, "--log", self.log, start=False)
        self.addCleanup(first.close)
        first.launch()
        address = harness.await_true("an address", lambda: self.address_of(first))
        second = harness.Daemon(self.data, "--log", self.log, start=False)
        self.addCleanup(second.close)
        second.launch()
        self.assertEqual(second.wait(), 3, second.text())
        self.assertIn("another daemon", second.text())
        self.assertEqual(self.address_of(first), address)


class ATopicLeftHalfMade(KafkaTest):
    SETTINGS = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
                "message.timestamp.type": "LogAppendTime", "max.message.bytes": "1048576",
                "min.insync.replicas": "1", "unclean.leader.election.enable": "false"}

    def make_empty(self, partitions):
        new = confluent_kafka.admin.NewTopic(self.topic, partitions, 1, config=self.SETTINGS)
        self.admin.create_topics([new])[self.topic].result()
        self.await_topic(True)

    def put(self, value):
        producer = confluent_kafka.Producer({"bootstrap.servers": self.kafka.bootstrap})
        producer.produce(self.topic, value, partition=0)
        self.assertEqual(producer.flush(30), 0)

    def first_record(self):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "first"})
        try:
            consumer.assign([confluent_kafka.TopicPartition(self.topic, 0, 0)])
            return consumer.poll(30).value()
        finally:
            consumer.close()

    def test_is_finished_as_the_log_that_it_began_as(self):
        self.create(2)
        genesis = self.first_record()
        self.delete_topic()
        self.make_empty(2)
        self.put(genesis)
        self.create(2)
        self.assertEqual(self.first_record(), genesis)
        self.post(self.start(), "a")
        done = harness.run_cli("topics", "create", "--log", self.log, "--partitions", 2)
        self.assertNotEqual(done.returncode, 0, done.stdout)

    def test_with_a_record_of_somebody_else_is_left_alone(self):
        self.make_empty(1)
        self.put(b"theirs")
        done = harness.run_cli("topics", "create", "--log", self.log, "--partitions", 1)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.first_record(), b"theirs")


class ABackup(KafkaTest):
    def digest(self, daemon):
        return daemon.get("/v1/admin/digest").json["state_digest"]

    def test_of_a_running_daemon_is_restored_to_the_same_digest_and_goes_on_where_the_log_is(self):
        self.create(2)
        daemon = self.start()
        self.post(daemon, *[f"before-{i}" for i in range(40)])
        before = self.digest(daemon)
        backup, restored = self.root / "backup", self.root / "restored"
        done = harness.run_cli("backup", "--data-dir", self.data, backup)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.post(daemon, "after")
        after = self.digest(daemon)
        self.assertNotEqual(before, after)
        self.assertEqual(daemon.stop(), 0)
        done = harness.run_cli("restore", backup, "--data-dir", restored)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(harness.audit(restored, self.root / "restored-work")[0], 0)
        # The log has gone on since: so does the restored daemon.
        second = self.start(restored)
        harness.await_true("the rest is folded", lambda: self.digest(second) == after)
        self.assertEqual(self.turns(second), 41)

    def test_data_of_one_topic_is_not_taken_for_that_of_another(self):
        self.create()
        self.start().close()
        self.topic = "another"
        self.log = f"kafka://{self.kafka.bootstrap}/{self.topic}"
        self.create()
        self.refused("log_id")
        embedded = harness.Daemon(self.data, start=False)
        self.addCleanup(embedded.close)
        embedded.launch()
        self.assertEqual(embedded.wait(), 5, embedded.text())
        self.assertIn("copy of", embedded.text())


class ForeignProducers(KafkaTest):
    """What others put into the topic is set aside with its place and reason, and the line goes on."""

    def quarantined(self, daemon):
        rows = daemon.get("/v1/admin/quarantine").json["data"]
        return {int(row["offset"]): row["reason"] for row in rows}

    def drained(self, daemon):
        def level():
            metrics = daemon.metrics()
            return metrics["odometer_cursor", "0"] == self.end() and metrics
        return harness.await_true("the fold is at the log's end", level)

    def end(self):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "end"})
        try:
            return consumer.get_watermark_offsets(confluent_kafka.TopicPartition(self.topic, 0), timeout=10)[1]
        finally:
            consumer.close()

    def producer(self, **settings):
        return confluent_kafka.Producer({"bootstrap.servers": self.kafka.bootstrap,
                                         "message.max.bytes": 2_000_000, **settings})

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

    def test_events_that_another_partitioner_placed_are_quarantined_as_misplaced(self):
        self.create(2)
        daemon = self.start()
        self.post(daemon, "a")
        partition, offset = 1, 1
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "copy",
                                             "auto.offset.reset": "earliest"})
        self.addCleanup(consumer.close)
        # Tenant "default" has slot 123, so it lives in partition 1 of 2; its event is copied into the other one.
        consumer.assign([confluent_kafka.TopicPartition(self.topic, partition, offset)])
        event = consumer.poll(30).value()
        producer = self.producer()
        producer.produce(self.topic, event, partition=0)
        producer.flush(30)
        harness.await_true("it is quarantined", lambda: self.quarantined(daemon) == {1: "misplaced"})
        self.assertEqual(self.turns(daemon), 1)


if __name__ == "__main__":
    harness.main()
