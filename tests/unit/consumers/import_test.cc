#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "consumers/cli/decimal.h"
#include "consumers/cli/import_map.h"
#include "consumers/cli/import_report.h"
#include "consumers/cli/row_mapper.h"
#include "consumers/cli/row_reader.h"
#include "consumers/cli/time_format.h"

namespace odometer::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Row> ReadAll(RowFormat format, const std::string& text) {
  std::istringstream stream(text);
  Result<std::unique_ptr<RowReader>> reader = RowReader::Open(format, stream);
  EXPECT_TRUE(reader.ok()) << reader.status().ToString();
  std::vector<Row> rows;
  for (Row row; (*reader)->Next(&row);) rows.push_back(row);
  EXPECT_EQ((*reader)->bytes_read(), text.size());
  return rows;
}

std::string TextOf(const Row& row, std::string_view path) {
  const Cell* cell = row.Find(path);
  return cell == nullptr ? "(none)" : cell->text;
}

// --- CSV

TEST(CsvReader, QuotedCellsKeepCommasQuotesAndLineBreaks) {
  std::vector<Row> rows = ReadAll(RowFormat::kCsv, "a,b,c\r\n1,\"x, \"\"y\"\"\nz\",3\r\n4,5,6");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].number, 1u);
  EXPECT_EQ(TextOf(rows[0], "b"), "x, \"y\"\nz");
  EXPECT_EQ(rows[0].raw, "1,\"x, \"\"y\"\"\nz\",3");
  EXPECT_EQ(rows[1].number, 2u);
  EXPECT_EQ(TextOf(rows[1], "c"), "6");
}

TEST(CsvReader, BlankLinesAreNoRowsAndEmptyCellsAreAbsent) {
  std::vector<Row> rows = ReadAll(RowFormat::kCsv, "\xEF\xBB\xBF" "a,b\n\n,2\n\r\n3,\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].Find("a"), nullptr);
  EXPECT_EQ(TextOf(rows[0], "b"), "2");
  EXPECT_EQ(TextOf(rows[1], "a"), "3");
  EXPECT_EQ(rows[1].Find("b"), nullptr);
}

TEST(CsvReader, ARowThatCannotBeReadIsBadAndTheNextOneIsNot) {
  std::vector<Row> rows = ReadAll(RowFormat::kCsv, "a,b\n1\n\"x\"y,2\n3,4,5\n6,7\n\"open,8\n");
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0].reason, "column_count");
  EXPECT_EQ(rows[1].reason, "bad_csv");
  EXPECT_EQ(rows[2].reason, "column_count");
  EXPECT_FALSE(rows[3].is_bad());
  EXPECT_EQ(TextOf(rows[3], "b"), "7");
  EXPECT_EQ(rows[4].reason, "bad_csv");
  EXPECT_EQ(rows[4].number, 5u);
}

TEST(CsvReader, AQuoteLeftOpenDoesNotSwallowTheRestOfTheFile) {
  std::string text = "a\n\"" + std::string(kRowBytesMax, 'x') + "\n1\n";
  std::vector<Row> rows = ReadAll(RowFormat::kCsv, text);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].reason, "row_too_long");
  EXPECT_EQ(TextOf(rows[1], "a"), "1");
}

TEST(CsvReader, AHeaderThatIsMissingOrDoubledIsRefused) {
  std::istringstream empty("");
  EXPECT_EQ(RowReader::Open(RowFormat::kCsv, empty).status().code(), Code::kInvalid);
  std::istringstream doubled("a,b,a\n1,2,3\n");
  EXPECT_THAT(RowReader::Open(RowFormat::kCsv, doubled).status().message(), HasSubstr("\"a\" stands twice"));
}

// --- JSON Lines

TEST(JsonLinesReader, NestedValuesAreFoundByPathWithEveryDigit) {
  std::vector<Row> rows = ReadAll(
      RowFormat::kJsonLines, R"({"a":{"b":[{"c":"x"},{"c":"y"}],"n":0.10000000000000000001},"big":9007199254740993,)"
                             R"("e":1.5e-05,"t":true,"z":null,"tags":["p","q"]})");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(TextOf(rows[0], "a.b.1.c"), "y");
  EXPECT_EQ(TextOf(rows[0], "a.n"), "0.10000000000000000001");
  EXPECT_EQ(TextOf(rows[0], "big"), "9007199254740993");
  EXPECT_EQ(TextOf(rows[0], "e"), "1.5e-05");
  EXPECT_EQ(TextOf(rows[0], "t"), "true");
  EXPECT_EQ(rows[0].Find("z"), nullptr);
  EXPECT_THAT(rows[0].FindList("tags"), ElementsAre("p", "q"));
  EXPECT_THAT(rows[0].FindList("a.b.0.c"), ElementsAre("x"));
}

TEST(JsonLinesReader, ALineThatIsNoObjectIsBadAndTheNextOneIsNot) {
  std::vector<Row> rows = ReadAll(RowFormat::kJsonLines, "{\"a\":1\n\n[1]\n7\n{\"a\":{}}\r\n{\"a\":2}\n");
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0].reason, "bad_json");
  EXPECT_EQ(rows[1].reason, "bad_json");
  EXPECT_EQ(rows[2].reason, "bad_json");
  EXPECT_FALSE(rows[3].is_bad());
  EXPECT_EQ(TextOf(rows[4], "a"), "2");
  EXPECT_EQ(rows[4].number, 5u);
}

TEST(JsonLinesReader, DeepNestingIsBadAndNotACrash) {
  std::vector<Row> rows = ReadAll(RowFormat::kJsonLines, "{\"a\":" + std::string(100'000, '[') + "\n{\"a\":1}\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].reason, "bad_json");
  EXPECT_FALSE(rows[1].is_bad());
}

// --- Exact numbers

TEST(Decimal, DollarsBecomeNanoDollarsDigitByDigit) {
  EXPECT_EQ(ScaleDecimal("0.0000375", 9)->value, 37'500);
  EXPECT_EQ(ScaleDecimal("1.1", 9)->value, 1'100'000'000);
  EXPECT_EQ(ScaleDecimal("1.5e-05", 9)->value, 15'000);
  EXPECT_EQ(ScaleDecimal("+12E2", 9)->value, 1'200'000'000'000);
  EXPECT_EQ(ScaleDecimal("-0.1", 9)->value, -100'000'000);
  EXPECT_EQ(ScaleDecimal("9223372036.854775807", 9)->value, INT64_MAX);
  EXPECT_EQ(ScaleDecimal("-9223372036.854775808", 9)->value, INT64_MIN);
  EXPECT_EQ(ScaleDecimal("000", 9)->value, 0);
  EXPECT_EQ(ScaleDecimal("0e99999999999999999999", 9)->value, 0);
  EXPECT_TRUE(ScaleDecimal("0.1", 9)->is_exact);
}

TEST(Decimal, DigitsThatAreTooFineAreRoundedHalfToEvenAndSaid) {
  EXPECT_EQ(ScaleDecimal("0.0000000005", 9)->value, 0);
  EXPECT_EQ(ScaleDecimal("0.0000000015", 9)->value, 2);
  EXPECT_EQ(ScaleDecimal("0.0000000025", 9)->value, 2);
  EXPECT_EQ(ScaleDecimal("0.00000000250000000001", 9)->value, 3);
  EXPECT_EQ(ScaleDecimal("-0.0000000015", 9)->value, -2);
  EXPECT_EQ(ScaleDecimal("0.00000000005", 9)->value, 0);
  EXPECT_EQ(ScaleDecimal("0.9999999999", 9)->value, 1'000'000'000);
  EXPECT_FALSE(ScaleDecimal("0.0000000005", 9)->is_exact);
  EXPECT_TRUE(ScaleDecimal("0.0000000010", 9)->is_exact);
}

TEST(Decimal, WhatIsNoNumberOrTooLargeIsRefused) {
  for (const char* text : {"", ".", "-", "1.2.3", "1e", "e5", "0x10", "1,5", " 1", "NaN", "1e5.5", "--1"}) {
    EXPECT_FALSE(ScaleDecimal(text, 0).ok()) << text;
  }
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "1e19", "1e999999999999",
                           "99999999999999999999999999"}) {
    EXPECT_FALSE(ScaleDecimal(text, 0).ok()) << text;
  }
}

TEST(TimeFormat, EachFormGivesTheSameMicrosecond) {
  constexpr int64_t kUs = 1'700'158'623'979'960;
  const std::pair<const char*, const char*> kForms[] = {
      {"%Y-%m-%d %H:%M:%S.%f", "2023-11-16 18:17:03.9799600"},
      {"%Y-%m-%d %H:%M:%S.%f", "2023-11-16 18:17:03.97996"},
      {"%Y-%m-%dT%H:%M:%S.%f%z", "2023-11-16T20:17:03.97996099+02:00"},
      {"%d/%m/%Y %H:%M:%S.%f %z", "16/11/2023 13:47:03.97996 -0430"},
      {"rfc3339", "2023-11-16T18:17:03.979960Z"},
      {"unix_us", "1700158623979960"},
      {"unix_ms", "1700158623979.96"},
      {"unix_s", "1700158623.9799609"},
  };
  for (const auto& [format, text] : kForms) {
    EXPECT_EQ(TimeFormat::Parse(format)->Read(text), kUs) << format << " " << text;
  }
}

TEST(TimeFormat, ATextOfAnotherFormHasNoTime) {
  TimeFormat format = *TimeFormat::Parse("%Y-%m-%d %H:%M:%S");
  for (const char* text : {"", "2023-11-16", "2023-11-31 00:00:00", "2023-02-29 00:00:00", "2023-13-01 00:00:00",
                           "2023-11-16 24:00:00", "2023-11-16 18:17:03 ", "2023-11-16 18:17:03.5",
                           "23-11-16 18:17:03"}) {
    EXPECT_FALSE(format.Read(text).has_value()) << text;
  }
  EXPECT_TRUE(format.Read("2024-02-29 23:59:59").has_value());
  EXPECT_FALSE(TimeFormat::Parse("unix_s")->Read("soon").has_value());
  EXPECT_FALSE(TimeFormat::Parse("%Q").ok());
  EXPECT_FALSE(TimeFormat::Parse("%Y-%").ok());
  EXPECT_FALSE(TimeFormat::Parse("iso8601").ok());
}

// --- The map

constexpr char kMap[] = R"([source]
name = "chat-logs"
format = "jsonl"
[event]
type = "TurnRecorded"
[event.constants]
provider = "openai"
service = "from-{stem}"
[fields]
"model_served" = "model"
"tokens.input_uncached" = {from = "usage.prompt", minus = ["usage.cached"]}
"tokens.cache_read" = "usage.cached"
"tokens.output" = "usage.completion"
"provided_cost_nano_usd" = {from = "cost", unit = "usd"}
"duration_us" = {from = "latency", unit = "ms"}
"query_length_bytes" = {from = "kib", scale = 1024}
"rag.collections" = "sources"
"status" = "finish"
[time]
field = "created"
format = "unix_s"
[users]
field = "user"
[sessions]
field = "conversation"
[enums.status]
stop = "success"
"*" = "error"
)";

ImportMap MapOf(const std::string& text) {
  Result<ImportMap> map = ParseImportMap(text);
  EXPECT_TRUE(map.ok()) << map.status().ToString();
  return *map;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

MappedRow MapLine(const ImportMap& map, const std::string& line) {
  RowMapper mapper(map, {"stem", "f00d"});
  return mapper.Map(ReadAll(RowFormat::kJsonLines, line).at(0));
}

TEST(ImportMap, ARowBecomesTheEventThatTheMapDescribes) {
  ImportMap map = MapOf(kMap);
  MappedRow mapped = MapLine(
      map, R"({"created":1700000000,"user":"ada","conversation":"c1","model":"m","finish":"stop","cost":0.0001234,)"
           R"("latency":12.5,"kib":2,"sources":["a","b"],"usage":{"prompt":100,"cached":30,"completion":7}})");
  ASSERT_FALSE(mapped.is_bad()) << mapped.reason << mapped.message;
  EXPECT_FALSE(mapped.is_rounded);
  EXPECT_EQ(mapped.event, nlohmann::ordered_json::parse(R"({
    "type":"TurnRecorded","key":"f00d:1","source":"import:chat-logs","user":"ada","session":"c1",
    "event_time":"2023-11-14T22:13:20.000000Z","provider":"openai","service":"from-stem","duration_us":12500,
    "model_served":"m","provided_cost_nano_usd":123400,"query_length_bytes":2048,"rag":{"collections":["a","b"]},
    "status":"success","tokens":{"cache_read":30,"input_uncached":70,"output":7}})"))
      << mapped.event.dump();
}

TEST(ImportMap, AbsentFieldsAreLeftOutAndUnknownValuesTakeTheStar) {
  MappedRow mapped = MapLine(MapOf(kMap), R"({"created":"1700000000.25","user":7,"finish":"length","cost":null})");
  ASSERT_FALSE(mapped.is_bad()) << mapped.message;
  EXPECT_EQ(mapped.event["user"], "7");
  EXPECT_EQ(mapped.event["status"], "error");
  EXPECT_EQ(mapped.event["event_time"], "2023-11-14T22:13:20.250000Z");
  EXPECT_FALSE(mapped.event.contains("provided_cost_nano_usd"));
  EXPECT_FALSE(mapped.event.contains("tokens"));
}

TEST(ImportMap, WhatCannotBeConvertedIsABadRowWithItsReason) {
  ImportMap map = MapOf(kMap);
  EXPECT_EQ(MapLine(map, R"({"user":"a","finish":"stop"})").reason, "missing_field");
  EXPECT_EQ(MapLine(map, R"({"created":1,"finish":"stop"})").reason, "missing_field");
  EXPECT_EQ(MapLine(map, R"({"created":"soon","user":"a","finish":"stop"})").reason, "bad_time");
  EXPECT_EQ(MapLine(map, R"({"created":1,"user":"a","finish":"stop","usage":{"completion":1.5}})").reason,
            "bad_amount");
  EXPECT_EQ(MapLine(map, R"({"created":1,"user":"a","finish":"stop","cost":"free"})").reason, "bad_amount");
  EXPECT_EQ(MapLine(map, R"({"created":-1,"user":"a","finish":"stop"})").reason, "time_range");
  EXPECT_EQ(MapLine(map, R"({"created":9223372036854,"user":"a","finish":"stop"})").reason, "time_range");
  MappedRow huge = MapLine(map, R"({"created":1,"user":"a","finish":"stop","kib":9223372036854775807})");
  EXPECT_EQ(huge.reason, "bad_amount");
  EXPECT_THAT(huge.message, HasSubstr("beyond 64 bits"));
  ImportMap strict = MapOf(Replaced(kMap, "\"*\" = \"error\"\n", ""));
  EXPECT_EQ(MapLine(strict, R"({"created":1,"user":"a","finish":"length"})").reason, "invalid_enum");
  EXPECT_EQ(MapLine(strict, R"({"created":1,"user":"a"})").reason, "invalid_enum");
}

TEST(ImportMap, RoundingIsOfUnitsOnlyAndIsSaid) {
  MappedRow mapped = MapLine(MapOf(kMap), R"({"created":1,"user":"a","finish":"stop","cost":0.00000000149})");
  EXPECT_TRUE(mapped.is_rounded);
  EXPECT_EQ(mapped.event["provided_cost_nano_usd"], 1);
}

TEST(ImportMap, AMapThatCannotWorkIsRefusedByName) {
  const std::pair<std::string, std::string> kFaults[] = {
      {Replaced(kMap, "[time]", "[times]"), "unknown key times"},
      {Replaced(kMap, "format = \"unix_s\"", "zone = \"CET\""), "time.zone"},
      {Replaced(kMap, "format = \"jsonl\"", "format = \"xml\""), "source.format"},
      {Replaced(kMap, "TurnRecorded", "Tick"), "event.type"},
      {Replaced(kMap, "tokens.output", "tokens.outputs"), "no field \"tokens.outputs\""},
      {Replaced(kMap, "unit = \"usd\"", "unit = \"eur\""), "unit \"eur\""},
      {Replaced(kMap, "scale = 1024", "scale = 1.5"), "scale"},
      {Replaced(kMap, "scale = 1024", "unit = \"ms\""), "only money and durations"},
      {Replaced(kMap, "\"*\" = \"error\"", "\"*\" = \"broken\""), "not a value"},
      {Replaced(kMap, "\"status\" = \"finish\"\n", ""), "nothing sets \"status\""},
      {Replaced(kMap, "provider = \"openai\"", "tokens.output = 1"), "\"tokens.output\" is set twice"},
      {Replaced(kMap, "provider = \"openai\"", "model_served = \"x\""), "\"model_served\" is set twice"},
      {Replaced(kMap, "field = \"user\"", "assign = \"round_robin:0\""), "users.assign"},
      {Replaced(kMap, "field = \"conversation\"", "assign = \"runs_of:x\""), "sessions.assign"},
      {"[source\n", "line 1"},
  };
  for (const auto& [text, message] : kFaults) {
    Result<ImportMap> map = ParseImportMap(text);
    ASSERT_FALSE(map.ok()) << message;
    EXPECT_THAT(map.status().message(), HasSubstr(message));
  }
}

TEST(ImportMap, ATargetMayStandUnquoted) {
  std::string text = Replaced(kMap, "\"tokens.output\" =", "tokens.output =");
  text = Replaced(text, "\"provided_cost_nano_usd\" =", "rag.output_tokens_saved = {from = \"saved\", scale = 2}\n#");
  MappedRow mapped =
      MapLine(MapOf(text), R"({"created":1,"user":"a","finish":"stop","saved":4,"usage":{"completion":7}})");
  EXPECT_EQ(mapped.event["tokens"]["output"], 7);
  EXPECT_EQ(mapped.event["rag"]["output_tokens_saved"], 8);
}

// --- Users, sessions and ids

ImportMap AssignedMap(const std::string& users, const std::string& sessions) {
  return MapOf("[source]\nname = \"t\"\n[event]\ntype = \"TurnRecorded\"\n[event.constants]\nstatus = \"success\"\n"
               "[time]\nfield = \"t\"\nformat = \"unix_s\"\n[users]\nassign = \"" + users +
               "\"\n[sessions]\nassign = \"" + sessions + "\"\n");
}

std::vector<MappedRow> MapRows(const ImportMap& map, int count, FileIdentity file = {"code", "f00d"}) {
  std::string text = "t\n";
  for (int i = 0; i < count; ++i) text += std::to_string(1000 + i) + "\n";
  RowMapper mapper(map, file);
  std::vector<MappedRow> mapped;
  for (const Row& row : ReadAll(RowFormat::kCsv, text)) mapped.push_back(mapper.Map(row));
  return mapped;
}

TEST(RowMapper, RoundRobinUsersHaveRunsOfRowsAsSessions) {
  std::vector<MappedRow> rows = MapRows(AssignedMap("round_robin:3", "runs_of:2"), 9);
  auto brief = [&](size_t row) {
    const auto& event = rows.at(row - 1).event;
    return event["user"].get<std::string>() + " " + event["session"].get<std::string>() + " " +
           event["turn_number"].dump();
  };
  EXPECT_EQ(brief(1), "user-001 code-user-001-001 1");
  EXPECT_EQ(brief(3), "user-000 code-user-000-001 1");
  EXPECT_EQ(brief(4), "user-001 code-user-001-001 2");
  EXPECT_EQ(brief(7), "user-001 code-user-001-002 1");
}

TEST(RowMapper, UsersByHashDependOnTheRowAlone) {
  ImportMap map = AssignedMap("hash_of_row:50", "runs_of:2");
  std::vector<MappedRow> rows = MapRows(map, 40);
  std::vector<MappedRow> again = MapRows(map, 20);
  std::set<std::string> users;
  for (size_t i = 0; i < rows.size(); ++i) users.insert(rows[i].event["user"].get<std::string>());
  for (size_t i = 0; i < again.size(); ++i) EXPECT_EQ(again[i].event, rows[i].event);
  EXPECT_GT(users.size(), 10u);
}

TEST(RowMapper, TheKeyIsTheFilesContentAndTheRowNumber) {
  ImportMap map = AssignedMap("round_robin:3", "runs_of:2");
  EXPECT_EQ(MapRows(map, 2)[1].event["key"], "f00d:2");
  EXPECT_EQ(MapRows(map, 2)[1].event["source"], "import:t");
  MappedRow shifted = MapRows(map, 2, {"code", "f00d", 5'000'000})[1];
  EXPECT_EQ(shifted.event["key"], "f00d+5000000:2");
  EXPECT_EQ(shifted.event["event_time"], "1970-01-01T00:16:46.000000Z");
  EXPECT_EQ(MapRows(map, 2, {"code", "f00d", -1})[1].event["key"], "f00d-1:2");
}

TEST(RowMapper, AnIdFieldMakesOverlappingExportsTheSameFacts) {
  ImportMap map = MapOf(std::string(kMap) + "[ids]\nfield = \"id\"\n");
  std::string line = R"({"id":"msg_1","created":1,"user":"a","finish":"stop"})";
  EXPECT_EQ(MapLine(map, line).event["key"], "id:msg_1");
  EXPECT_EQ(MapLine(map, R"({"created":1,"user":"a","finish":"stop"})").event["key"], "f00d:1");
}

TEST(RowMapper, ABadRowMovesNoOtherRowsSession) {
  ImportMap map = AssignedMap("round_robin:1", "runs_of:2");
  RowMapper mapper(map, {"code", "f00d"});
  std::vector<Row> rows = ReadAll(RowFormat::kCsv, "t\n1\nsoon\n3\n");
  mapper.Map(rows[0]);
  EXPECT_EQ(mapper.Map(rows[1]).reason, "bad_time");
  EXPECT_EQ(mapper.Map(rows[2]).event["session"], "code-user-000-002");
}

TEST(RowMapper, ARowThatIsNotUtf8IsBadAndNotMended) {
  ImportMap map = AssignedMap("round_robin:1", "runs_of:2");
  RowMapper mapper(map, {"code", "f00d"});
  EXPECT_EQ(mapper.Map(ReadAll(RowFormat::kCsv, "t,name\n1,J\xFCrgen\n")[0]).reason, "invalid_utf8");
  EXPECT_FALSE(mapper.Map(ReadAll(RowFormat::kCsv, "t,name\n1,Jürgen\n")[0]).is_bad());
}

TEST(RowMapper, AShiftBeyondAllTimesIsABadRowAndNotAnOverflow) {
  ImportMap map = AssignedMap("round_robin:1", "runs_of:2");
  EXPECT_EQ(MapRows(map, 1, {"code", "f00d", INT64_MAX})[0].reason, "time_range");
  EXPECT_EQ(MapRows(map, 1, {"code", "f00d", INT64_MIN})[0].reason, "time_range");
}

TEST(Sha256OfFile, IsTheHashOfItsBytes) {
  std::string path = ::testing::TempDir() + "sha256_of_file_" + std::to_string(getpid());
  std::ofstream(path) << "abc";
  EXPECT_EQ(*Sha256OfFile(path), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  std::filesystem::remove(path);
  EXPECT_EQ(Sha256OfFile(path).status().code(), Code::kNotFound);
}

TEST(StemOf, IsTheNameWithoutFolderAndEnding) {
  EXPECT_EQ(StemOf("/data/x/code.csv"), "code");
  EXPECT_EQ(StemOf("conv"), "conv");
}

// --- The built-in map

TEST(AzureLlm, ARowOfTheTraceBecomesATurn) {
  ImportMap map = MapOf(std::string(AzureLlmMapText()));
  RowMapper mapper(map, {"code", "f00d"});
  Row row = ReadAll(RowFormat::kCsv,
                    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,4808,10\n")[0];
  EXPECT_EQ(mapper.Map(row).event, nlohmann::ordered_json::parse(R"({
    "type":"TurnRecorded","key":"f00d:1","source":"import:azure-llm","user":"user-001","session":"code-user-001-001",
    "turn_number":1,"event_time":"2023-11-16T18:17:03.979960Z","llm_calls":1,"model_requested":"azure-llm-code",
    "operation":"chat","provider":"azure","service":"code","status":"success",
    "tokens":{"input_uncached":4808,"output":10}})"));
  EXPECT_EQ(AssignmentNote(map),
            "the rows name no users: they are assigned round robin to 100 users, sessions of 20 rows");
}

TEST(AzureLlm, TheShippedMapIsTheBuiltInOne) {
  auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
  std::ifstream stream(root / "examples/data/maps/azure-llm.toml");
  std::stringstream text;
  text << stream.rdbuf();
  EXPECT_EQ(text.str(), AzureLlmMapText());
}

}  // namespace
}  // namespace odometer::cli
