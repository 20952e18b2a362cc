"""The topic that a log is: one with other settings than a log needs is refused by name, and one that was left half made
is finished."""

import harness
import kafka_case
import with_kafka

setUpModule = kafka_case.start_broker


class SettingsTest(kafka_case.KafkaTest):
    def check(self):
        done = harness.run_cli("topics", "check", "--log", self.log)
        return done.returncode, done.stdout

    def accepted(self):
        self.assertEqual(self.check(), (0, f"{self.log}: every setting is as a log needs it\n"))

    def named(self, sentence):
        """By the check, which says nothing else, and by the daemon, which does not start."""
        self.assertEqual(self.check(), (1, sentence + "\n"))
        self.refused(sentence)


class OtherSettings(SettingsTest):
    def test_each_that_loses_records_or_their_times_is_named_and_refused(self):
        self.create()
        self.accepted()
        for name, value, needed in (
                ("cleanup.policy", "compact", "delete"),
                ("cleanup.policy", "compact,delete", "delete"),
                ("retention.ms", "86400000", "-1"),
                ("retention.bytes", "1000000000", "-1"),
                ("message.timestamp.type", "CreateTime", "LogAppendTime"),
                ("max.message.bytes", "1048575", "1048576 or more"),
                ("unclean.leader.election.enable", "true", "false")):
            with self.subTest(name, value=value):
                self.configure(self.SETTINGS | {name: value})
                self.named(f"{name} is {value}, and must be {needed}")
        self.configure(self.SETTINGS | {"max.message.bytes": "2000000"})
        self.accepted()
        self.post(self.start(), "a")

    def test_several_at_once_are_all_named(self):
        self.create()
        self.configure(self.SETTINGS | {"retention.ms": "1000", "message.timestamp.type": "CreateTime"})
        self.refused("retention.ms is 1000", "message.timestamp.type is CreateTime")
        self.assertEqual(self.check()[1].count("\n"), 2)


class Replicas(SettingsTest):
    """Of a record that one broker alone has confirmed nothing is left when that one is lost."""

    @classmethod
    def setUpClass(cls):
        cls.kafka = with_kafka.Kafka(cls.root / "three", nodes=3, heap_mib=256)
        cls.addClassCleanup(cls.kafka.stop)

    def make(self, replicas):
        self.topic = f"replicas-{replicas}"
        self.log = self.log_on(self.kafka)
        self.data = self.root / self.topic
        done = harness.run_cli("topics", "create", "--log", self.log, "--partitions", 2, "--replicas", replicas)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.accepted()

    def test_where_there_are_more_than_one_two_must_have_a_record(self):
        for replicas in (2, 3):
            with self.subTest(replicas=replicas):
                self.make(replicas)
                self.configure(self.SETTINGS)
                self.named("min.insync.replicas is 1, and must be 2 or more")
                self.configure(self.SETTINGS | {"min.insync.replicas": "2"})
                self.accepted()
                self.post(self.start(), "a")

    def test_where_there_is_one_that_one_is_enough(self):
        self.make(1)
        self.configure(self.SETTINGS)
        self.accepted()
        self.post(self.start(), "a")


class ATopicLeftHalfMade(kafka_case.KafkaTest):
    def test_is_finished_as_the_log_that_it_began_as(self):
        self.create(2)
        genesis = self.records()[0]
        self.delete_topic()
        self.make_empty(2)
        self.put(genesis)
        self.create(2)
        self.assertEqual(self.records(), [genesis])
        self.post(self.start(), "a")
        done = harness.run_cli("topics", "create", "--log", self.log, "--partitions", 2)
        self.assertNotEqual(done.returncode, 0, done.stdout)

    def test_with_a_record_of_somebody_else_is_left_alone(self):
        self.make_empty(1)
        self.put(b"theirs")
        done = harness.run_cli("topics", "create", "--log", self.log, "--partitions", 1)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.records(), [b"theirs"])


if __name__ == "__main__":
    harness.main()
