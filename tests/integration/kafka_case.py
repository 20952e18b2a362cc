"""KafkaTest, what tests beside a broker share: one broker for all tests of a program, a topic and a data directory for
each test. Such a program says `setUpModule = kafka_case.start_broker`."""

import contextlib
import unittest

import confluent_kafka
import confluent_kafka.admin

import harness
import with_kafka


def turn(key):
    return harness.turn(key, user="ann", tokens=1)


def start_broker():
    folder = harness.Folder()
    KafkaTest.root = folder.__enter__()
    unittest.addModuleCleanup(folder.__exit__)
    KafkaTest.kafka = with_kafka.Kafka(KafkaTest.root / "kafka")
    unittest.addModuleCleanup(KafkaTest.kafka.stop)


class KafkaTest(unittest.TestCase):
    # As `odometer topics create` makes them.
    SETTINGS = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
                "message.timestamp.type": "LogAppendTime", "max.message.bytes": "1048576",
                "min.insync.replicas": "1", "unclean.leader.election.enable": "false"}

    def setUp(self):
        self.kafka.start()  # where the last test took it away and failed before it was back
        self.topic = self.id().rsplit(".", 1)[-1].replace("_", "-")
        self.log = self.log_on(self.kafka)
        self.data = self.root / self.topic
        self.admin = self.admin_of(self.kafka)

    def log_on(self, kafka):
        return f"kafka://{kafka.bootstrap}/{self.topic}"

    @staticmethod
    def admin_of(kafka):
        return confluent_kafka.admin.AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})

    # --- the daemon

    def start(self, data=None, log=None):
        daemon = harness.Daemon(data or self.data, "--log", log or self.log)
        self.addCleanup(daemon.close)
        return daemon

    def refused(self, *words, log=None):
        """A start that ends with exit code 5 and says all of this."""
        daemon = harness.Daemon(self.data, "--log", log or self.log, start=False)
        self.addCleanup(daemon.close)
        daemon.launch()
        self.assertEqual(daemon.wait(), 5, daemon.text())
        for word in words:
            self.assertIn(word, daemon.text())

    def post(self, daemon, *keys):
        answer = daemon.post([turn(key) for key in keys])
        self.assertEqual(answer.status, 202, answer)
        self.assertEqual(answer.json["outcomes"]["pending"], 0, answer)

    def post_is_refused(self, daemon):
        """A post is answered that it cannot be taken, and nothing of it is in the log."""
        end = self.end()
        answer = daemon.post([turn("refused")])
        self.assertEqual((answer.status, answer.json["type"]), (503, "urn:odometer:problem:unavailable"), answer)
        self.assertEqual(self.end(), end)

    def turns(self, daemon):
        return daemon.summary("ann").json["turns"]

    # --- the topic

    def create(self, partitions=1):
        done = harness.run_cli("topics", "create", "--log", self.log, "--partitions", partitions)
        self.assertEqual(done.returncode, 0, done.stderr)

    def make_empty(self, partitions, kafka=None):
        """A topic as a log needs it, and nothing in it."""
        admin = self.admin_of(kafka or self.kafka)
        new = confluent_kafka.admin.NewTopic(self.topic, partitions, 1, config=self.SETTINGS)
        admin.create_topics([new])[self.topic].result()
        self.await_topic(True, admin)

    def await_topic(self, is_there, admin=None):
        def seen():
            return (self.topic in (admin or self.admin).list_topics(timeout=10).topics) == is_there
        harness.await_true(f"the topic is there: {is_there}", seen)

    def delete_topic(self):
        self.admin.delete_topics([self.topic], operation_timeout=30)[self.topic].result()
        self.await_topic(False)

    def configure(self, settings):
        """All settings of its own that the topic has from now on."""
        resource = confluent_kafka.admin.ConfigResource(confluent_kafka.admin.RESOURCE_TOPIC, self.topic)
        for name, value in settings.items():
            resource.set_config(name, value)
        self.admin.alter_configs([resource])[resource].result()

    def consumer(self):
        return confluent_kafka.Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "test",
                                         "auto.offset.reset": "earliest"})

    def end(self, partition=0):
        """As the broker has it."""
        with contextlib.closing(self.consumer()) as consumer:
            place = confluent_kafka.TopicPartition(self.topic, partition)
            return consumer.get_watermark_offsets(place, timeout=10)[1]

    def records(self, partition=0):
        """The values of all records of a partition, in which nothing but records stands."""
        end, values = self.end(partition), []
        with contextlib.closing(self.consumer()) as consumer:
            consumer.assign([confluent_kafka.TopicPartition(self.topic, partition, 0)])
            while len(values) < end:
                message = consumer.poll(30)
                self.assertIsNotNone(message, f"{len(values)} of {end} records came")
                self.assertIsNone(message.error())
                values.append(message.value())
        return values

    def producer(self, kafka=None, **settings):
        return confluent_kafka.Producer({"bootstrap.servers": (kafka or self.kafka).bootstrap,
                                         "message.max.bytes": 2_000_000, **settings})

    def put(self, *values, kafka=None):
        producer = self.producer(kafka)
        for value in values:
            producer.produce(self.topic, value, partition=0)
        self.assertEqual(producer.flush(30), 0)
