"""Two daemons on one log, each with partitions and a data directory of its own: every tenant is at exactly one of them,
and the other says which partition it lives in."""

import unittest

import confluent_kafka

import harness
import openapi_test
import with_kafka

PARTITIONS = 4
OWNED = {"even": "0,2", "odd": "1,3"}
TENANTS = [f"tenant-{i}" for i in range(12)]


class TwoDaemons(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = harness.Folder()
        cls.root = cls.folder.__enter__()
        cls.addClassCleanup(cls.folder.__exit__)
        cls.kafka = with_kafka.Kafka(cls.root / "kafka")
        cls.addClassCleanup(cls.kafka.stop)
        cls.kafka.start()
        cls.document = openapi_test.Document.load()

    def setUp(self):
        self.topic = self.id().rsplit(".", 1)[-1].replace("_", "-")
        self.log = f"kafka://{self.kafka.bootstrap}/{self.topic}"
        done = harness.run_cli("topics", "create", "--log", self.log, "--partitions", PARTITIONS)
        self.assertEqual(done.returncode, 0, done.stderr)

    def data(self, name):
        return self.root / self.topic / name

    def start(self, name, owned):
        daemon = harness.Daemon(self.data(name), "--log", self.log, "--partitions", owned)
        self.addCleanup(daemon.close)
        return daemon

    def start_both(self):
        return {name: self.start(name, owned) for name, owned in OWNED.items()}

    def ends(self):
        """As the broker has them."""
        client = confluent_kafka.Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "looks"})
        try:
            return [client.get_watermark_offsets(confluent_kafka.TopicPartition(self.topic, p), timeout=20)[1]
                    for p in range(PARTITIONS)]
        finally:
            client.close()

    def acknowledged(self):
        """What the group tells lag tools."""
        client = confluent_kafka.Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "odometer"})
        try:
            asked = [confluent_kafka.TopicPartition(self.topic, p) for p in range(PARTITIONS)]
            return [place.offset for place in client.committed(asked, timeout=20)]
        finally:
            client.close()

    def cursors(self, daemons):
        found = {int(key[1]): value for daemon in daemons.values()
                 for key, value in daemon.metrics().samples.items() if key[0] == "odometer_cursor"}
        return [found[p] for p in range(PARTITIONS)]

    def partition_refused(self, answer, method, path):
        """The partition that a 421 names."""
        self.assertEqual(answer.status, 421, answer)
        self.document.check(method, path, 421, answer.headers["Content-Type"], answer.body)
        self.assertEqual(answer.json["type"], "urn:odometer:problem:not-owned")
        return answer.json["partition"]

    def post_everywhere(self, daemons, key):
        """A turn of each tenant at both daemons; gives which took each, and where the other says it lives."""
        homes = {}
        for tenant in TENANTS:
            turns = [harness.turn(key, "ann"), harness.turn(key + "-more", "ann")]
            took = [name for name, daemon in daemons.items() if daemon.post(turns, tenant).status == 202]
            self.assertEqual(len(took), 1, tenant)
            other, = (daemon for name, daemon in daemons.items() if name != took[0])
            partition = self.partition_refused(other.post(harness.turn(key, "ann"), tenant), "POST", "/v1/events")
            self.assertIn(str(partition), OWNED[took[0]].split(","))
            homes[tenant] = took[0], partition
        return homes

    def test_each_folds_its_part_and_names_the_partition_of_the_rest(self):
        daemons = self.start_both()
        before = self.ends()
        homes = self.post_everywhere(daemons, "a")
        # What came to the wrong daemon is not in the log: two records a tenant, in its partition.
        expected = [before[p] + 2 * sum(home[1] == p for home in homes.values()) for p in range(PARTITIONS)]
        self.assertEqual(self.ends(), expected)
        self.assertEqual({home[0] for home in homes.values()}, set(OWNED))
        for tenant, (home, partition) in homes.items():
            for name, daemon in daemons.items():
                answer = daemon.summary("ann", tenant)
                if name == home:
                    self.assertEqual((answer.status, answer.json["turns"]), (200, 2), answer)
                else:
                    self.assertEqual(self.partition_refused(answer, "GET", "/v1/consumption/summary"), partition)
        for name, daemon in daemons.items():
            self.covers_its_own(name, daemon)

    def covers_its_own(self, name, daemon):
        numbers = [int(number) for number in OWNED[name].split(",")]
        self.assertEqual(daemon.get("/version").json["owned"], numbers)
        daemon.await_ready(200, 20)
        digest = daemon.get("/v1/admin/digest").json
        self.assertEqual([int(position[1:].split(".")[0]) for position in digest["positions"]], numbers)
        self.assertEqual(digest["partitions"], PARTITIONS)
        elsewhere = daemon.get(f"/v1/admin/quarantine?partition={(numbers[0] + 1) % PARTITIONS}")
        self.assertIn(self.partition_refused(elsewhere, "GET", "/v1/admin/quarantine"), range(PARTITIONS))
        metrics = daemon.metrics()
        self.assertEqual({key[1] for key in metrics.samples if key[0] == "odometer_cursor"}, {str(n) for n in numbers})
        code, report = harness.audit(self.data(name), self.root / f"work-{name}")
        self.assertEqual((code, len(report.get("positions", []))), (0, len(numbers)), report)

    def test_lag_tools_find_in_the_group_how_far_each_of_them_is_also_when_nothing_comes_any_more(self):
        daemons = self.start_both()
        for key in ("a", "b"):
            self.post_everywhere(daemons, key)
            # What was posted is folded, and nobody asks for readiness: so nothing moves the log from here on.
            cursors = self.cursors(daemons)
            self.assertEqual(cursors, self.ends())
            harness.await_true(f"the group is told {cursors}", lambda: self.acknowledged() == self.cursors(daemons),
                               seconds=60, pause_s=0.5)
            self.assertEqual(self.cursors(daemons), cursors)

    def test_the_command_line_at_the_wrong_daemon_says_the_partition(self):
        daemons = self.start_both()
        homes = self.post_everywhere(daemons, "a")
        tenant, (home, partition) = next(iter(homes.items()))
        other, = (daemon for name, daemon in daemons.items() if name != home)
        ends = self.ends()
        done = harness.run_cli("--server", f"http://{other.host}", "--tenant", tenant, "emit", "--type",
                               "TurnRecorded", "--user", "ann", "--set", "status=success")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn(f"partition {partition}", done.stderr)
        self.assertEqual(self.ends(), ends)

    def test_what_one_gives_up_another_takes_over_whole(self):
        daemons = self.start_both()
        homes = self.post_everywhere(daemons, "a")
        for daemon in daemons.values():
            self.assertEqual(daemon.stop(), 0)
        whole = self.start("even", "all")
        for tenant in homes:
            position = whole.post(harness.turn("b", "ann"), tenant).json["position"]
            self.assertEqual(whole.summary("ann", tenant, position).json["turns"], 3)
        self.assertEqual(harness.audit(self.data("even"), self.root / "work-whole")[0], 0)

    def test_a_partition_that_the_log_lacks_is_refused_saying_which_it_has(self):
        daemon = harness.Daemon(self.data("none"), "--log", self.log, "--partitions", "3-4", start=False)
        self.addCleanup(daemon.close)
        daemon.launch()
        self.assertEqual(daemon.wait(), 2, daemon.text())
        self.assertIn("the log has 4, numbered from 0 to 3", daemon.text())


if __name__ == "__main__":
    harness.main()
