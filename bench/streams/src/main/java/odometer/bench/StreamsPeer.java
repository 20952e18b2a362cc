package odometer.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import odometer.schema.Event;
import odometer.schema.Payload;
import odometer.schema.Tokens;
import odometer.schema.TurnRecorded;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.rocksdb.Options;

/**
 * What a Kafka Streams application would do with the same topic: the sums of each user, of each user's month and day
 * and of each session, and one audit row an event, exactly once. Prints one JSON line, or exits with 5 when a store
 * does not sum up to what was sent.
 *
 * <p>Usage: StreamsPeer BOOTSTRAP TOPIC STATE_DIR APPLICATION_ID TURNS INPUT_TOKENS OUTPUT_TOKENS COST_NANO_USD
 */
public final class StreamsPeer {
  /** Figures of a row: events, LLM calls, five token buckets, reasoning, cost, duration, successes, last event time. */
  private static final int FIGURES = 12;

  private static final long US_PER_DAY = 86_400_000_000L;
  private static final String[] SUMS = {"users", "months", "days", "sessions"};

  private static final AtomicLong processed = new AtomicLong();
  private static volatile long firstNanos;
  private static volatile long lastNanos;
  private static volatile double firstCpuSeconds;
  private static final CountDownLatch done = new CountDownLatch(1);

  private StreamsPeer() {}

  private static double cpuSeconds() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() / 1e9;
  }

  /** Folds one partition. */
  private static final class Fold implements Processor<byte[], byte[], Void, Void> {
    private final long expected;
    private ProcessorContext<Void, Void> context;
    private KeyValueStore<byte[], byte[]> users;
    private KeyValueStore<byte[], byte[]> months;
    private KeyValueStore<byte[], byte[]> days;
    private KeyValueStore<byte[], byte[]> sessions;
    private KeyValueStore<byte[], byte[]> audit;

    Fold(long expected) {
      this.expected = expected;
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
      this.context = context;
      users = context.getStateStore("users");
      months = context.getStateStore("months");
      days = context.getStateStore("days");
      sessions = context.getStateStore("sessions");
      audit = context.getStateStore("audit");
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      if (record.value() == null) {
        return;
      }
      Event event = Event.getRootAsEvent(ByteBuffer.wrap(record.value()));
      if (event.payloadType() != Payload.TurnRecorded) {
        return;
      }
      TurnRecorded turn = (TurnRecorded) event.payload(new TurnRecorded());
      byte[] user = key(event.tenantAsByteBuffer(), turn.userAsByteBuffer(), null, 0, false);
      long day = event.eventTimeUs() / US_PER_DAY;
      add(users, user, event, turn);
      add(months, key(event.tenantAsByteBuffer(), turn.userAsByteBuffer(), null, day / 30, true), event, turn);
      add(days, key(event.tenantAsByteBuffer(), turn.userAsByteBuffer(), null, day, true), event, turn);
      add(sessions, key(event.tenantAsByteBuffer(), turn.userAsByteBuffer(), turn.sessionAsByteBuffer(), 0, false),
          event, turn);
      RecordMetadata place = context.recordMetadata().orElseThrow();
      audit.put(append(user, place.offset()), auditRow(event, turn, place));
      count();
    }

    private void count() {
      long now = System.nanoTime();
      long number = processed.incrementAndGet();
      if (number == 1) {
        firstNanos = now;
        firstCpuSeconds = cpuSeconds();
      }
      if (number == expected) {
        lastNanos = now;
        done.countDown();
      }
    }

    private static void add(KeyValueStore<byte[], byte[]> store, byte[] key, Event event, TurnRecorded turn) {
      byte[] held = store.get(key);
      byte[] row = held != null ? held.clone() : new byte[FIGURES * 8];
      ByteBuffer figures = ByteBuffer.wrap(row);
      Tokens tokens = turn.tokens();
      plus(figures, 0, 1);
      plus(figures, 1, turn.hasLlmCalls() ? turn.llmCalls() : 1);
      if (tokens != null) {
        plus(figures, 2, tokens.inputUncached());
        plus(figures, 3, tokens.cacheRead());
        plus(figures, 4, tokens.cacheWrite5m());
        plus(figures, 5, tokens.cacheWrite1h());
        plus(figures, 6, tokens.output());
        plus(figures, 7, tokens.reasoning());
      }
      plus(figures, 8, turn.hasProvidedCostNanoUsd() ? turn.providedCostNanoUsd() : 0);
      plus(figures, 9, turn.hasDurationUs() ? turn.durationUs() : 0);
      plus(figures, 10, turn.status() == 1 ? 1 : 0);
      figures.putLong(11 * 8, Math.max(figures.getLong(11 * 8), event.eventTimeUs()));
      store.put(key, row);
    }

    private static void plus(ByteBuffer figures, int index, long delta) {
      figures.putLong(index * 8, Math.addExact(figures.getLong(index * 8), delta));
    }

    private static byte[] key(ByteBuffer tenant, ByteBuffer user, ByteBuffer session, long number, boolean numbered) {
      int size = 2 + tenant.remaining() + 2 + user.remaining() + (session != null ? 2 + session.remaining() : 0)
          + (numbered ? 8 : 0);
      ByteBuffer key = ByteBuffer.allocate(size);
      key.putShort((short) tenant.remaining()).put(tenant);
      key.putShort((short) user.remaining()).put(user);
      if (session != null) {
        key.putShort((short) session.remaining()).put(session);
      }
      if (numbered) {
        key.putLong(number);
      }
      return key.array();
    }

    private static byte[] append(byte[] key, long number) {
      return ByteBuffer.allocate(key.length + 8).put(key).putLong(number).array();
    }

    /** What a posting holds: place, time, tokens, cost, status and id. */
    private static byte[] auditRow(Event event, TurnRecorded turn, RecordMetadata place) {
      Tokens tokens = turn.tokens();
      ByteBuffer row = ByteBuffer.allocate(64);
      row.putLong(place.offset()).putLong(event.eventTimeUs());
      row.putLong(tokens != null ? tokens.inputUncached() + tokens.output() : 0);
      row.putLong(turn.hasProvidedCostNanoUsd() ? turn.providedCostNanoUsd() : 0);
      row.put((byte) turn.status()).put(event.payloadType());
      for (int i = 0; i < 16; i++) {
        row.put((byte) event.id().bytes(i));
      }
      return row.array();
    }
  }

  private static Topology topology(String topic, long expected) {
    Topology topology = new Topology();
    topology.addSource("events", new ByteArrayDeserializer(), new ByteArrayDeserializer(), topic);
    topology.addProcessor("fold", () -> new Fold(expected), "events");
    for (String name : SUMS) {
      topology.addStateStore(store(name).withCachingEnabled(), "fold");
    }
    topology.addStateStore(store("audit").withCachingDisabled(), "fold");
    return topology;
  }

  private static StoreBuilder<KeyValueStore<byte[], byte[]>> store(String name) {
    return Stores.keyValueStoreBuilder(
        Stores.persistentKeyValueStore(name), Serdes.ByteArray(), Serdes.ByteArray());
  }

  /** Memtables of 64 MiB and two jobs behind each store, which it writes faster with than with its defaults. */
  public static final class LargeMemtables implements RocksDBConfigSetter {
    @Override
    public void setConfig(String store, Options options, Map<String, Object> configs) {
      options.setWriteBufferSize(64L << 20);
      options.setMaxBackgroundJobs(2);
    }

    @Override
    public void close(String store, Options options) {}
  }

  /** Tuned kindly: large fetches, batches, caches, memtables; two threads, lz4, a transaction a second and not ten. */
  private static Properties settings(String bootstrap, String applicationId, Path stateDir) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, applicationId);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, stateDir.toString());
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 512L << 20);
    settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 20_000);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1_000);
    settings.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, LargeMemtables.class);
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    settings.put(StreamsConfig.consumerPrefix("max.poll.records"), 10_000);
    settings.put(StreamsConfig.consumerPrefix("max.partition.fetch.bytes"), 8 << 20);
    settings.put(StreamsConfig.consumerPrefix("fetch.max.bytes"), 64 << 20);
    settings.put(StreamsConfig.consumerPrefix("check.crcs"), false);
    settings.put(StreamsConfig.producerPrefix("batch.size"), 512 << 10);
    settings.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
    return settings;
  }

  private static ReadOnlyKeyValueStore<byte[], byte[]> rowsOf(KafkaStreams streams, String store) {
    return streams.store(
        StoreQueryParameters.fromNameAndType(store, QueryableStoreTypes.<byte[], byte[]>keyValueStore()));
  }

  /** Events, input, output, cost: of all rows of a store. */
  private static long[] sumsOf(KafkaStreams streams, String store) {
    int[] figures = {0, 2, 6, 8};
    long[] sums = new long[figures.length];
    try (KeyValueIterator<byte[], byte[]> rows = rowsOf(streams, store).all()) {
      while (rows.hasNext()) {
        ByteBuffer row = ByteBuffer.wrap(rows.next().value);
        for (int i = 0; i < figures.length; i++) {
          sums[i] = Math.addExact(sums[i], row.getLong(figures[i] * 8));
        }
      }
    }
    return sums;
  }

  /** The same of the audit rows; a row has the tokens of both kinds in one figure. */
  private static long[] auditSums(KafkaStreams streams) {
    long[] sums = new long[3];
    try (KeyValueIterator<byte[], byte[]> rows = rowsOf(streams, "audit").all()) {
      while (rows.hasNext()) {
        ByteBuffer row = ByteBuffer.wrap(rows.next().value);
        sums[0]++;
        sums[1] = Math.addExact(sums[1], row.getLong(16));
        sums[2] = Math.addExact(sums[2], row.getLong(24));
      }
    }
    return sums;
  }

  private static void mustEqual(String store, long[] sums, long... expected) {
    if (!Arrays.equals(sums, expected)) {
      System.err.println("streams peer: " + store + " sums to " + Arrays.toString(sums) + ", not "
          + Arrays.toString(expected));
      Runtime.getRuntime().halt(5);
    }
  }

  private static void checkSums(KafkaStreams streams, long turns, long input, long output, long cost) {
    for (String store : SUMS) {
      mustEqual(store, sumsOf(streams, store), turns, input, output, cost);
    }
    mustEqual("audit", auditSums(streams), turns, input + output, cost);
  }

  public static void main(String[] args) throws Exception {
    System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "error");
    long expected = Long.parseLong(args[4]);
    KafkaStreams streams =
        new KafkaStreams(topology(args[1], expected), settings(args[0], args[3], Path.of(args[2])));
    streams.setUncaughtExceptionHandler(failure -> {
      System.err.println("streams peer: " + failure);
      Runtime.getRuntime().halt(5);
      return null;
    });
    streams.start();
    done.await();
    double cpuSeconds = cpuSeconds() - firstCpuSeconds;
    checkSums(streams, expected, Long.parseLong(args[5]), Long.parseLong(args[6]), Long.parseLong(args[7]));
    streams.close(Duration.ofSeconds(60));
    double seconds = (lastNanos - firstNanos) / 1e9;
    System.out.println(String.format(java.util.Locale.ROOT,
        "{\"events\":%d,\"seconds\":%.3f,\"events_per_s\":%.0f,\"cpu_us_per_event\":%.3f}",
        expected, seconds, expected / seconds, cpuSeconds / expected * 1e6));
  }
}
