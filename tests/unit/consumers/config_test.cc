#include "consumers/config.h"

#include <gtest/gtest.h>

#include "consumers/logging.h"

namespace odometer {
namespace {

ConfigSources Sources() {
  ConfigSources sources;
  sources.flags = {{"data_dir", "data"}};
  sources.file_name = "odometer.toml";
  return sources;
}

std::string Refusal(const ConfigSources& sources) {
  Result<LoadedConfig> loaded = LoadConfig(sources);
  return loaded.ok() ? "" : loaded.status().message();
}

TEST(Config, HasDefaultsForAllButTheDirectory) {
  Result<LoadedConfig> loaded = LoadConfig(Sources());
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->config.listen_host, "127.0.0.1");
  EXPECT_EQ(loaded->config.listen_port, 8780);
  EXPECT_TRUE(loaded->config.fsync);
  EXPECT_FALSE(loaded->config.raw_records);
  EXPECT_NE(Refusal({}).find("data_dir is not set"), std::string::npos);
}

TEST(Config, TakesAFlagBeforeTheEnvironmentAndThatBeforeTheFile) {
  ConfigSources sources = Sources();
  sources.file_text = "log_partitions = 2\nmemory_mib = 64\nlog_level = \"warn\"\n";
  sources.environment = {{"ODOMETER_LOG_PARTITIONS", "3"}, {"ODOMETER_MEMORY_MIB", "128"}, {"PATH", "x"}};
  sources.flags.emplace_back("log_partitions", "4");
  Result<LoadedConfig> loaded = LoadConfig(sources);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ(loaded->config.log_partitions, 4u);
  EXPECT_EQ(loaded->config.memory_mib, 128u);
  EXPECT_EQ(loaded->config.log_level, "warn");
  std::string shown = ShowConfig(*loaded, true);
  EXPECT_NE(shown.find("log_partitions = 4  # flag"), std::string::npos) << shown;
  EXPECT_NE(shown.find("memory_mib = 128  # environment"), std::string::npos);
  EXPECT_NE(shown.find("log_level = \"warn\"  # file"), std::string::npos);
  EXPECT_NE(shown.find("raw_records = false  # default"), std::string::npos);
}

TEST(Config, IsShownAsAFileThatReadsBack) {
  ConfigSources sources = Sources();
  sources.flags = {{"data_dir", "a \"quoted\" \\ directory"}, {"durability", "written"}, {"listen", "[::1]:0"}};
  LoadedConfig first = LoadConfig(sources).value();
  ConfigSources again;
  again.file_text = ShowConfig(first, true);
  Result<LoadedConfig> second = LoadConfig(again);
  ASSERT_TRUE(second.ok()) << second.status().ToString();
  EXPECT_EQ(second->config.data_dir, "a \"quoted\" \\ directory");
  EXPECT_FALSE(second->config.fsync);
  EXPECT_EQ(second->config.listen_host, "::1");
}

TEST(Config, RefusesUnknownKeysOfAFileByNameAndLine) {
  ConfigSources sources = Sources();
  sources.file_text = "log_partitions = 2\npartitons = 3\n";
  EXPECT_NE(Refusal(sources).find("odometer.toml:2: there is no setting 'partitons'"), std::string::npos)
      << Refusal(sources);
}

TEST(Config, TakesWebhooksFromItsTablesAndShowsThemWithoutTheirSecrets) {
  ConfigSources sources = Sources();
  sources.file_text =
      "[[webhooks]]\nname = \"billing\"\nurl = \"https://a.example/h\"\nsecret_file = \"s.txt\"\n"
      "[[webhooks]]\nname = \"chat-2\"\nurl = \"http://b.example\"\ntenant = \"acme\"\nattempts_max = 3\n";
  Result<LoadedConfig> loaded = LoadConfig(sources);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  ASSERT_EQ(loaded->config.webhooks.size(), 2u);
  EXPECT_EQ(loaded->config.webhooks[0].secret_file, "s.txt");
  EXPECT_EQ(loaded->config.webhooks[0].attempts_max, 20);
  EXPECT_EQ(loaded->config.webhooks[1].tenant, "acme");
  EXPECT_EQ(loaded->config.webhooks[1].attempts_max, 3);
  sources.file_text = ShowConfig(*loaded, false);
  Result<LoadedConfig> back = LoadConfig(sources);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(ShowConfig(*back, false), sources.file_text);
}

TEST(Config, OfAWebhookThatCannotBeToldSaysWhatAndWhere) {
  auto refusal = [](const std::string& text) {
    ConfigSources sources = Sources();
    sources.file_text = text;
    return Refusal(sources);
  };
  const std::string fine = "[[webhooks]]\nname = \"a\"\nurl = \"http://h\"\n";
  EXPECT_EQ(refusal(fine), "");
  EXPECT_NE(refusal("webhooks = 3\n").find("[[webhooks]]"), std::string::npos);
  EXPECT_NE(refusal("[[webhooks]]\nurl = \"http://h\"\n").find("needs a name"), std::string::npos);
  EXPECT_NE(refusal("[[webhooks]]\nname = \"A b\"\nurl = \"http://h\"\n").find("needs a name"), std::string::npos);
  EXPECT_NE(refusal("[[webhooks]]\nname = \"a\"\nurl = \"ftp://h\"\n").find("http://"), std::string::npos);
  EXPECT_NE(refusal(fine + fine).find("name of another one"), std::string::npos);
  EXPECT_NE(refusal(fine + "secret = \"x\"\n").find("odometer.toml:4"), std::string::npos);
  EXPECT_NE(refusal(fine + "timeout_ms = 0\n").find("must be 1 to"), std::string::npos);
  EXPECT_NE(refusal(fine + "backoff_min_ms = 10\nbackoff_max_ms = 9\n").find("above"), std::string::npos);
}

TEST(Config, RefusesAValueOfAnotherShape) {
  for (const char* text : {"log_partitions = \"2\"", "log_partitions = 257", "partitions = 2", "partitions = \"\"",
                           "raw_records = 1", "listen = 8780", "log_level = \"loud\"", "durability = \"maybe\"",
                           "memory_mib = 1", "data_dir = [1]", "listen = \"host\"", "x = "}) {
    ConfigSources sources = Sources();
    sources.file_text = text;
    EXPECT_NE(Refusal(sources), "") << text;
  }
}

TEST(Config, TakesThePartitionsToOwnFromAnywhereAndShowsWhence) {
  for (ConfigOrigin origin : {ConfigOrigin::kFile, ConfigOrigin::kEnvironment, ConfigOrigin::kFlag}) {
    ConfigSources sources = Sources();
    if (origin == ConfigOrigin::kFile) sources.file_text = "partitions = \"0,2-3\"\n";
    if (origin == ConfigOrigin::kEnvironment) sources.environment = {{"ODOMETER_PARTITIONS", "0,2-3"}};
    if (origin == ConfigOrigin::kFlag) sources.flags.emplace_back("partitions", "0,2-3");
    Result<LoadedConfig> loaded = LoadConfig(sources);
    ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
    EXPECT_EQ(loaded->config.partitions.Of(4).value(), (std::vector<uint32_t>{0, 2, 3}));
    std::string line = std::string("partitions = \"0,2-3\"  # ") + OriginName(origin) + "\n";
    EXPECT_NE(ShowConfig(*loaded, true).find(line), std::string::npos) << ShowConfig(*loaded, true);
  }
  EXPECT_NE(ShowConfig(*LoadConfig(Sources()), true).find("partitions = \"all\"  # default"), std::string::npos);
}

TEST(Config, OfPartitionsThatNobodyCouldOwnSaysWhatTheyMayBe) {
  ConfigSources sources = Sources();
  sources.flags.emplace_back("partitions", "3-1");
  EXPECT_NE(Refusal(sources).find("partitions from flag is '3-1'; it must be all, or"), std::string::npos)
      << Refusal(sources);
}

TEST(Config, NamesVariablesThatAreNoSettings) {
  ConfigSources sources = Sources();
  sources.environment = {{"ODOMETER_PARTITONS", "3"}, {"ODOMETERS", "1"}};
  EXPECT_EQ(LoadConfig(sources)->unknown_variables, std::vector<std::string>{"ODOMETER_PARTITONS"});
}

TEST(Config, ReadsAddressesOfBothFamilies) {
  EXPECT_EQ(ParseListen("[::1]:80").value(), (std::pair<std::string, uint16_t>("::1", 80)));
  EXPECT_EQ(ParseListen("0.0.0.0:0").value(), (std::pair<std::string, uint16_t>("0.0.0.0", 0)));
  for (const char* bad : {"", ":80", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x", "::1:80", "[]:1", "127.0.0.1:"}) {
    EXPECT_FALSE(ParseListen(bad).ok()) << bad;
  }
}

class LogLinesTest : public testing::Test {
 protected:
  LogLines Lines(LogFormat format, const char* level = "info") {
    return LogLines(clock_, format, level, [this](const std::string& line) { lines_.push_back(line); });
  }
  ManualClock clock_{1'700'000'000'000'000};
  std::vector<std::string> lines_;
};

TEST_F(LogLinesTest, AreOfOneKindWhenOnlyDigitsDiffer) {
  LogLines lines = Lines(LogFormat::kText);
  for (int i = 0; i < 100; ++i) lines.Write("warn", "offset=" + std::to_string(i) + " quarantined reason=conflict");
  lines.Write("warn", "offset=1 quarantined reason=overflow");
  EXPECT_EQ(lines_.size(), LogLines::kLinesPerWindow + 1);
  clock_.Advance(LogLines::kWindowUs);
  lines.Write("warn", "offset=101 quarantined reason=conflict");
  EXPECT_NE(lines_.back().find("left_out=90"), std::string::npos) << lines_.back();
}

TEST_F(LogLinesTest, CannotBeForged) {
  LogLines lines = Lines(LogFormat::kText);
  lines.Write("info", "a\nb\rc");
  EXPECT_EQ(lines_[0], "2023-11-14T22:13:20.000000Z info a\\x0ab\\x0dc");
}

TEST_F(LogLinesTest, GiveNameAndValueAsFieldsOfJson) {
  LogLines lines = Lines(LogFormat::kJson);
  lines.Write("error", "append failed partition=3 offset=7 no space");
  EXPECT_EQ(lines_[0],
            "{\"time\":\"2023-11-14T22:13:20.000000Z\",\"level\":\"error\",\"message\":\"append failed no space\","
            "\"partition\":\"3\",\"offset\":\"7\"}");
}

TEST_F(LogLinesTest, BelowTheLevelAreNotWritten) {
  LogLines lines = Lines(LogFormat::kText, "warn");
  lines.Write("info", "x");
  lines.Write("warn", "y");
  EXPECT_EQ(lines_.size(), 1u);
}

}  // namespace
}  // namespace odometer
