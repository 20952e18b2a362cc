"""What befalls a log on a real broker, and what the daemon says: it halts and names what differs, or waits and goes on.
Never a wrong figure: what was committed before is what is answered after."""

import json
import os
import pathlib
import signal
import time

import confluent_kafka.admin

import harness
import kafka_case
import with_kafka
from kafka_case import turn

setUpModule = kafka_case.start_broker

AWAY_S = 600 if os.environ.get("ODOMETER_FULL") else 5  # besides what it takes to notice


class TheLogIsAnotherOne(kafka_case.KafkaTest):
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
        answer = daemon.await_ready(503, 60, words="topic any more")
        self.assertEqual(answer.json["failing_step"], "verify")
        self.assertEqual(answer.json["detail"], f"{self.log}: there is no such topic any more: it was deleted")
        # That is not forgotten while it is asked again.
        time.sleep(5)
        self.assertEqual(daemon.ready().json, answer.json)
        self.assertEqual(self.turns(daemon), 1)
        refused = daemon.post([turn("b")])
        self.assertEqual((refused.status, refused.json["type"]), (503, "urn:odometer:problem:unavailable"), refused)

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

    def test_trimmed_past_the_cursor_it_is_refused(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a")
        daemon.close()
        other = self.start(self.root / "trimmed-other")
        self.post(other, "b", "c", "d")
        other.close()
        self.trim(4)
        self.refused("Genesis", "trimmed")

    def test_trimmed_past_the_cursor_while_it_runs_it_says_so_and_the_figures_stay(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a")
        other = self.start(self.root / "trimmed-beyond")
        daemon.process.send_signal(signal.SIGSTOP)
        self.addCleanup(daemon.process.send_signal, signal.SIGCONT)
        self.post(other, "b", "c", "d")
        self.trim(4)
        daemon.process.send_signal(signal.SIGCONT)
        answer = daemon.await_ready(503, 60, words="trimmed")
        self.assertEqual(answer.json["failing_step"], "verify")
        self.assertIn(f"{self.log} partition 0: record 0, Genesis, is gone", answer.json["detail"])
        self.post_is_refused(daemon)
        self.assertEqual(self.turns(daemon), 1)
        self.assertEqual(daemon.metrics()["odometer_cursor", "0"], 2)
        daemon.close()
        self.refused("Genesis", "trimmed")

    def trim(self, offset):
        """What lies below it is deleted."""
        offsets = self.root / "offsets.json"
        offsets.write_text(json.dumps({"version": 1, "partitions": [
            {"topic": self.topic, "partition": 0, "offset": offset}]}))
        self.kafka.run("tool", "org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", offsets)

    def test_copied_record_by_record_to_another_cluster_it_is_refused_and_both_clusters_are_named(self):
        self.create()
        daemon = self.start()
        self.post(daemon, "a", "b")
        self.assertEqual(daemon.stop(), 0)
        mirror = with_kafka.Kafka(self.root / "mirror")
        self.addCleanup(mirror.stop)
        mirror.start()
        self.make_empty(1, mirror)
        self.put(*self.records(), kafka=mirror)
        clusters = [(kafka.folder / "cluster.id").read_text().strip() for kafka in (self.kafka, mirror)]
        self.assertNotEqual(*clusters)
        log = self.log_on(mirror)
        self.refused(f"is a copy of topic {self.topic} of cluster {clusters[0]}",
                     f"{log} is topic {self.topic} of cluster {clusters[1]}", log=log)
        # Nothing else is wrong with it, and the data directory is as it was.
        other = self.start(self.root / "mirror-data", log)
        other.await_ready(200, 60)
        self.assertEqual(self.turns(other), 2)
        daemon = self.start()
        self.post(daemon, "c")
        self.assertEqual(self.turns(daemon), 3)

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


class TheLogWasCut(kafka_case.KafkaTest):
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
        # Nothing takes its place, neither now nor by a daemon that is started anew.
        self.assertEqual(self.end(), 2)
        self.post_is_refused(daemon)
        self.assertEqual(self.turns(daemon), 2)
        daemon.close()
        self.refused("the log ends at offset 2 now, and reached to 3")
        self.assertEqual(self.end(), 2)


class TheBrokerIsAway(kafka_case.KafkaTest):
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
        self.assertEqual(answer.json["failing_step"], "poll")
        self.assertIn(self.log, answer.json["detail"])
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
        daemon.await_ready(503, 30, words=self.kafka.bootstrap)
        self.assertEqual(self.turns(daemon), 1)
        refused = daemon.post([turn("b")])
        self.assertEqual(refused.status, 503, refused)
        back = time.monotonic() + AWAY_S
        while time.monotonic() < back:
            answer = daemon.ready()
            self.assertEqual(answer.status, 503)
            self.assertIn(answer.json["failing_step"], ("append", "poll", "verify"))
            self.assertIn(self.kafka.bootstrap, answer.json["detail"])
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


class ABackup(kafka_case.KafkaTest):
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
        # Before anything runs on it: the very figures of the backup.
        done = harness.run_cli("digest", "--data-dir", restored, "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["state_digest"]), (0, before), done.stderr)
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


if __name__ == "__main__":
    harness.main()
