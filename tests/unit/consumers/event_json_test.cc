#include "consumers/event_json.h"

#include <gtest/gtest.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "core/period.h"
#include "tests/unit/core/event_samples.h"
#include "tests/unit/core/event_text.h"

namespace odometer {
namespace {

constexpr int64_t kNowUs = 1'700'000'000'000'000;

class EventJson : public ::testing::Test {
 protected:
  JsonOptions Options() {
    JsonOptions options;
    options.tenant = "default";
    options.source = "api";
    options.clock = &clock_;
    options.random = [this] {
      std::array<uint8_t, 10> bytes{};
      bytes[9] = static_cast<uint8_t>(++minted_);
      return bytes;
    };
    return options;
  }

  ParsedEvents Parse(std::string_view body, JsonBody form = JsonBody::kWhole) {
    Result<ParsedEvents> parsed = ParseEvents(body, form, Options());
    EXPECT_TRUE(parsed.ok()) << parsed.status().ToString() << "\n" << body;
    return parsed.ok() ? std::move(parsed).value() : ParsedEvents{};
  }

  // "reason field", or "ok".
  std::string Outcome(std::string_view body) {
    ParsedEvents parsed = Parse(body);
    if (parsed.items.size() != 1) return std::to_string(parsed.items.size()) + " items";
    const std::optional<ItemError>& error = parsed.items[0].error;
    if (!error.has_value()) return "ok";
    EXPECT_FALSE(error->message.empty());
    return error->reason + " " + error->field;
  }

  // A turn with one more field, given as JSON text.
  std::string Turn(const std::string& more = "") {
    return R"({"type":"TurnRecorded","user":"ana","status":"success")" + (more.empty() ? "" : "," + more) + "}";
  }
  std::string OutcomeOf(const std::string& more) { return Outcome(Turn(more)); }

  std::string Interaction(const std::string& more = "") {
    return R"({"user":"ana","kind":"chat","status":"completed")" + (more.empty() ? "" : "," + more) + "}";
  }
  std::string Batch(const std::string& items) { return R"({"type":"InteractionBatch","items":[)" + items + "]}"; }

  std::string Refusal(std::string_view body, JsonBody form = JsonBody::kWhole) {
    Result<ParsedEvents> parsed = ParseEvents(body, form, Options());
    return parsed.ok() ? "" : parsed.status().message();
  }

  ManualClock clock_{kNowUs};
  int minted_ = 0;
};

// --- what is taken

TEST_F(EventJson, ATurnSaysAllOfItsFields) {
  ParsedEvents parsed = Parse(R"({"type":"TurnRecorded","id":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f01",
      "event_time":"2023-11-16T18:17:03.979960Z","source":"shop","ask":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f02",
      "tenant":"default","user":"ana","session":"s-1","turn_number":7,"provider":"acme","model_requested":"large",
      "model_served":"large-3","tokens":{"input_uncached":1,"cache_read":2,"cache_write_5m":3,"cache_write_1h":4,
      "output":5,"reasoning":5},"llm_calls":2,"status":"partial","error_type":"none","duration_us":9,
      "time_to_first_token_us":8,"provided_cost_nano_usd":7,"rag":{"used":true,"guided":false,"collections":["a","b"],
      "output_tokens_saved":6},"service":"chat","operation":"answer","metadata":{"k": [1, 2.50, "\u00e9"] },
      "query_digest":"00fF","query_length_bytes":11})");
  ASSERT_EQ(parsed.items.size(), 1u);
  ASSERT_FALSE(parsed.items[0].error.has_value()) << parsed.items[0].error->message;
  const Event& event = parsed.items[0].event;
  EXPECT_EQ(event.id.ToString(), "018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f01");
  EXPECT_EQ(event.id_kind, IdKind::kMinted);
  EXPECT_EQ(event.event_time.us, 1'700'158'623'979'960);
  EXPECT_EQ(event.source, "shop");
  EXPECT_EQ(event.ask->ToString(), "018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f02");
  EXPECT_EQ(event.tenant, "default");
  EXPECT_EQ(event.turn.turn_number, 7u);
  EXPECT_EQ(event.turn.model(), "large-3");
  EXPECT_EQ(event.turn.tokens.cache_write_1h, 4);
  EXPECT_EQ(event.turn.tokens.reasoning, 5);
  EXPECT_EQ(event.turn.status, TurnStatus::kPartial);
  EXPECT_TRUE(event.turn.has_rag);
  EXPECT_TRUE(event.turn.rag_used);
  EXPECT_EQ(event.turn.rag_collections, (std::vector<std::string_view>{"a", "b"}));
  EXPECT_EQ(event.turn.metadata, R"({"k": [1, 2.50, "\u00e9"] })");
  EXPECT_EQ(event.turn.query_digest, std::string_view("\x00\xff", 2));
  EXPECT_EQ(event.turn.query_length_bytes, 11u);
}

TEST_F(EventJson, EveryEventOfAHostComesBackFromItsJson) {
  for (EventType type : AllEventTypes()) {
    if (IsOwn(type)) continue;
    Event event = testing::FullEvent(type);
    event.producer.reset();  // an SDK's own; JSON shows it and does not take it
    std::string text = EventToJson(event);
    ParsedEvents parsed = Parse(text);
    ASSERT_EQ(parsed.items.size(), 1u);
    ASSERT_FALSE(parsed.items[0].error.has_value()) << parsed.items[0].error->message << "\n" << text;
    EXPECT_EQ(testing::Describe(parsed.items[0].event), testing::Describe(event)) << text;
  }
}

TEST_F(EventJson, RandomEventsComeBackInAnArrayAndLineByLine) {
  uint64_t seed = testing::Seed();
  std::cout << "ODOMETER_SEED=" << seed << "\n";
  testing::Texts texts;
  testing::RandomEvents events(seed, &texts);
  for (int round = 0; round < 20; ++round) {
    std::vector<Event> sent;
    std::string array = "[", lines;
    for (EventType type : AllEventTypes()) {
      if (IsOwn(type)) continue;
      Event event = events.Next(type);
      event.producer.reset();
      event.tenant = "default";
      if (event.source.empty()) event.source = "api";
      std::string text = EventToJson(event);
      ASSERT_EQ(text.find('\n'), std::string::npos);
      ASSERT_TRUE(nlohmann::json::accept(text)) << text;
      array += (sent.empty() ? "" : " ,\n") + text;
      lines += text + "\r\n\n";
      sent.push_back(event);
    }
    array += "]";
    ParsedEvents as_array = Parse(array), as_lines = Parse(lines, JsonBody::kLines);
    ASSERT_EQ(as_array.items.size(), sent.size());
    ASSERT_EQ(as_lines.items.size(), sent.size());
    for (size_t i = 0; i < sent.size(); ++i) {
      ASSERT_FALSE(as_array.items[i].error.has_value()) << as_array.items[i].error->message;
      ASSERT_EQ(Encode(as_array.items[i].event), Encode(sent[i])) << EventToJson(sent[i]);
      ASSERT_EQ(Encode(as_lines.items[i].event), Encode(sent[i]));
    }
  }
}

TEST_F(EventJson, AKeyGivesTheSameIdEachTimeAndWhereverSourceStands) {
  std::string event_time = R"("event_time":1700000000000000)";
  ParsedEvents one = Parse(Turn(R"("key":"order-17","source":"my-app",)" + event_time));
  ParsedEvents other = Parse(Turn(R"("source":"my-app",)" + event_time + R"(,"key":"order-17")"));
  EXPECT_EQ(one.items[0].event.id.ToString(), "caf6f33a-5079-59cc-87f7-694aca15745e");
  EXPECT_EQ(one.items[0].event.id_kind, IdKind::kDerived);
  EXPECT_EQ(Encode(one.items[0].event), Encode(other.items[0].event));
  ParsedEvents by_default = Parse(Turn(R"("key":"order-17",)" + event_time));
  EXPECT_EQ(by_default.items[0].event.id, DerivedId("api", "order-17"));
}

TEST_F(EventJson, WithoutIdAndKeyAnIdIsMintedAndTheTimeIsNow) {
  ParsedEvents parsed = Parse("[" + Turn() + "," + Turn() + "]");
  ASSERT_EQ(parsed.items.size(), 2u);
  EXPECT_EQ(parsed.items[0].event.id_kind, IdKind::kMinted);
  EXPECT_EQ(parsed.items[0].event.event_time.us, kNowUs);
  EXPECT_EQ(parsed.items[0].event.id, Uuid7(kNowUs, {0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_NE(parsed.items[0].event.id, parsed.items[1].event.id);
  EXPECT_EQ(parsed.items[0].event.source, "api");
}

TEST_F(EventJson, AnIdOrKeyNeedsATimeSoThatARetrySaysTheSame) {
  EXPECT_EQ(OutcomeOf(R"("key":"k")"), "missing_field event_time");
  EXPECT_EQ(OutcomeOf(R"("id":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f01")"), "missing_field event_time");
  EXPECT_EQ(OutcomeOf(R"("key":"k","event_time":null)"), "missing_field event_time");
  EXPECT_EQ(OutcomeOf(R"("key":"k","event_time":0)"), "ok");
}

TEST_F(EventJson, OneIdentityAtMostAndNotAnEmptyOne) {
  std::string time = R"("event_time":1,)";
  EXPECT_EQ(OutcomeOf(time + R"("key":"k","id":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f01")"), "duplicate_field key");
  EXPECT_EQ(OutcomeOf(time + R"("key":"")"), "missing_field key");
  EXPECT_EQ(OutcomeOf(time + R"("id":"00000000-0000-0000-0000-000000000000")"), "missing_field id");
  EXPECT_EQ(OutcomeOf(time + R"("id":"not a uuid")"), "wrong_type id");
  EXPECT_EQ(OutcomeOf(time + R"("id":17)"), "wrong_type id");
  EXPECT_EQ(OutcomeOf(time + R"("key":")" + std::string(256, 'k') + '"'), "ok");
  EXPECT_EQ(OutcomeOf(time + R"("key":")" + std::string(257, 'k') + '"'), "text_too_long key");
  EXPECT_EQ(OutcomeOf(R"("id_kind":"derived")"), "invalid_enum id_kind");
}

TEST_F(EventJson, ATimeIsRfc3339OrMicroseconds) {
  auto time = [&](const std::string& text) {
    return Parse(Turn("\"event_time\":" + text)).items[0].event.event_time.us;
  };
  EXPECT_EQ(time("\"2023-11-16T23:47:03+05:30\""), 1'700'158'623'000'000);
  EXPECT_EQ(time("1700158623000000"), 1'700'158'623'000'000);
  EXPECT_EQ(time("\"1700158623000000\""), 1'700'158'623'000'000);
  EXPECT_EQ(OutcomeOf(R"("event_time":"yesterday")"), "wrong_type event_time");
  EXPECT_EQ(OutcomeOf(R"("event_time":true)"), "wrong_type event_time");
  EXPECT_EQ(OutcomeOf(R"("event_time":-1)"), "time_range event_time");
  EXPECT_EQ(OutcomeOf(R"("event_time":253402300800000000)"), "time_range event_time");
  EXPECT_EQ(OutcomeOf(R"("event_time":"1969-12-31T23:59:59Z")"), "time_range event_time");
}

TEST_F(EventJson, MetadataIsAnObjectAsPostedOrAText) {
  auto metadata = [&](const std::string& text) {
    ParsedEvents parsed = Parse(Turn("\"metadata\":" + text));
    return std::string(parsed.items[0].event.turn.metadata);
  };
  EXPECT_EQ(metadata("{}"), "{}");
  EXPECT_EQ(metadata("  { \"b\" : 1e400 , \"a\":[ {} ,null],\"b\":0.10 }  "),
            "{ \"b\" : 1e400 , \"a\":[ {} ,null],\"b\":0.10 }");
  EXPECT_EQ(metadata(R"("a \"text\" \u20ac")"), "a \"text\" \xe2\x82\xac");
  EXPECT_EQ(OutcomeOf(R"("metadata":[1])"), "wrong_type metadata");
  EXPECT_EQ(OutcomeOf(R"("metadata":1)"), "wrong_type metadata");
  EXPECT_EQ(OutcomeOf("\"metadata\":{\"a\":\"" + std::string(4096 - 8, 'x') + "\"}"), "ok");
  EXPECT_EQ(OutcomeOf("\"metadata\":{\"a\":\"" + std::string(4096 - 7, 'x') + "\"}"), "text_too_long metadata");
}

TEST_F(EventJson, NullSaysNothing) {
  ParsedEvents parsed =
      Parse(Turn(R"("session":null,"tokens":null,"rag":null,"llm_calls":null,"metadata":null,"ask":null)"));
  ASSERT_FALSE(parsed.items[0].error.has_value());
  EXPECT_EQ(Encode(parsed.items[0].event).size(), Encode(Parse(Turn()).items[0].event).size());
}

TEST_F(EventJson, ACostEventHasTwoSpellings) {
  for (const char* kind : {"cost-event", "cost_event"}) {
    std::string body = R"({"type":"InteractionRecorded","user":"a","status":"completed","kind":")";
    ParsedEvents parsed = Parse(body + kind + "\"}");
    ASSERT_FALSE(parsed.items[0].error.has_value());
    EXPECT_EQ(parsed.items[0].event.interactions[0].kind, InteractionKind::kCostEvent);
    EXPECT_NE(EventToJson(parsed.items[0].event).find("\"cost-event\""), std::string::npos);
  }
}

TEST_F(EventJson, ItemsOfABatchHaveIdsOfTheirOwn) {
  ParsedEvents parsed = Parse(R"({"items":[)" + Interaction(R"("key":"a","event_time":5)") + "," + Interaction() + "," +
                              Interaction(R"("id":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f01","event_time":6)") +
                              R"(],"source":"shop","type":"InteractionBatch"})");
  ASSERT_FALSE(parsed.items[0].error.has_value()) << parsed.items[0].error->message;
  const std::vector<odometer::Interaction>& items = parsed.items[0].event.interactions;
  EXPECT_EQ(items[0].id, DerivedId("shop", "a"));
  EXPECT_EQ(items[0].event_time.us, 5);
  EXPECT_EQ(items[1].event_time.us, kNowUs);
  EXPECT_EQ(items[2].id.ToString(), "018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f01");
}

TEST_F(EventJson, FaultsOfABatchNameTheirItem) {
  EXPECT_EQ(Outcome(Batch("")), "empty_batch items");
  EXPECT_EQ(Outcome(R"({"type":"InteractionBatch"})"), "empty_batch items");
  EXPECT_EQ(Outcome(Batch(Interaction() + R"(,{"kind":"chat","status":"failed"})")), "missing_field items[1].user");
  EXPECT_EQ(Outcome(Batch(Interaction() + R"(,{"user":"a","status":"failed"})")), "invalid_enum items[1].kind");
  EXPECT_EQ(Outcome(Batch(Interaction(R"("key":"k")"))), "missing_field items[0].event_time");
  EXPECT_EQ(Outcome(Batch(Interaction(R"("tokens":{"output":1.5})"))), "wrong_type items[0].tokens.output");
  EXPECT_EQ(Outcome(Batch(Interaction(R"("source":"x")"))), "unknown_field items[0].source");
  EXPECT_EQ(Outcome(Batch("7")), "wrong_type items[0]");
  EXPECT_EQ(Outcome(R"({"type":"InteractionBatch","items":{}})"), "wrong_type items");
  EXPECT_EQ(Outcome(R"({"type":"InteractionBatch","items":[],"items":[]})"), "duplicate_field items");
}

TEST_F(EventJson, ABatchAboveAHundredItemsOr512KiBIsRefused) {
  std::string hundred = Interaction();
  for (int i = 1; i < 100; ++i) hundred += "," + Interaction();
  EXPECT_EQ(Outcome(Batch(hundred)), "ok");
  EXPECT_EQ(Outcome(Batch(hundred + "," + Interaction())), "batch_too_large items");
  std::string name(256, 'n');
  std::string fat = R"({"kind":"api","status":"timeout")";
  for (const char* field : {"user", "session", "service", "operation", "model"}) {
    fat += std::string(",\"") + field + "\":\"" + name + '"';
  }
  fat += ",\"metadata\":\"" + std::string(4096, 'm') + "\"}";
  std::string fats = fat;
  for (int i = 1; i < 100; ++i) fats += "," + fat;
  EXPECT_EQ(Outcome(Batch(fats)), "too_large ");
}

// --- what is refused, by name

TEST_F(EventJson, ATypeMustBeKnownAndAHosts) {
  EXPECT_EQ(Outcome("{}"), "missing_field type");
  EXPECT_EQ(Outcome(R"({"user":"a"})"), "missing_field type");
  EXPECT_EQ(Outcome(R"({"type":7})"), "missing_field type");
  EXPECT_EQ(Outcome(R"({"type":"Turn"})"), "unknown_type type");
  for (const char* own : {"Genesis", "Tick", "GapReported", "LimitCrossed"}) {
    EXPECT_EQ(Outcome(std::string(R"({"type":")") + own + "\"}"), "wrong_door type");
  }
  EXPECT_EQ(Outcome("[[]]"), "wrong_type ");
  EXPECT_EQ(Outcome("[7]"), "wrong_type ");
}

TEST_F(EventJson, TheTypeMayStandAnywhere) {
  EXPECT_EQ(Outcome(R"({"user":"ana","tokens":{"output":1},"status":"failed","type":"TurnRecorded"})"), "ok");
}

TEST_F(EventJson, UnknownAndRepeatedFieldsAreRefused) {
  EXPECT_EQ(OutcomeOf(R"("usr":"x")"), "unknown_field usr");
  EXPECT_EQ(OutcomeOf(R"("producer":{"seq":1})"), "unknown_field producer");
  EXPECT_EQ(OutcomeOf(R"("inserted":1)"), "unknown_field inserted");
  EXPECT_EQ(OutcomeOf(R"("tokens":{"input":1})"), "unknown_field tokens.input");
  EXPECT_EQ(OutcomeOf(R"("user":"bob")"), "duplicate_field user");
  EXPECT_EQ(OutcomeOf(R"("type":"Tick")"), "duplicate_field type");
  EXPECT_EQ(OutcomeOf(R"("u\u0073er":"bob")"), "duplicate_field user");
  EXPECT_EQ(OutcomeOf(R"("tokens":{"output":1,"output":1})"), "duplicate_field tokens.output");
  EXPECT_EQ(OutcomeOf(R"("session":null,"session":"s")"), "duplicate_field session");
}

TEST_F(EventJson, NumbersAreWholeAndFit) {
  auto duration = [&](const std::string& text) { return OutcomeOf("\"duration_us\":" + text); };
  EXPECT_EQ(duration("9223372036854775807"), "ok");
  EXPECT_EQ(duration("\"9223372036854775807\""), "ok");
  EXPECT_EQ(duration("\"12\""), "ok");
  EXPECT_EQ(duration("-0"), "ok");
  for (const char* text : {"9223372036854775808", "18446744073709551615", "18446744073709551616",
                           "123456789012345678901234567890", "-9223372036854775809", "\"9223372036854775808\""}) {
    EXPECT_EQ(duration(text), "number_out_of_range duration_us") << text;
  }
  for (const char* text : {"1.0", "1e3", "0.5", "-1.5e-3", "1e400", "true", "{}", "[]", "\"\"", "\"1.0\"", "\"+1\"",
                           "\" 1\"", "\"01\"", "\"0x10\"", "\"NaN\""}) {
    EXPECT_EQ(duration(text), "wrong_type duration_us") << text;
  }
  EXPECT_EQ(duration("-1"), "negative_amount duration_us");
  EXPECT_EQ(OutcomeOf(R"("turn_number":18446744073709551615)"), "ok");
  EXPECT_EQ(OutcomeOf(R"("turn_number":18446744073709551616)"), "number_out_of_range turn_number");
  EXPECT_EQ(OutcomeOf(R"("turn_number":-1)"), "number_out_of_range turn_number");
}

TEST_F(EventJson, ValuesHaveTheirType) {
  EXPECT_EQ(OutcomeOf(R"("session":7)"), "wrong_type session");
  EXPECT_EQ(OutcomeOf(R"("session":{"a":[1,{}]})"), "wrong_type session");
  EXPECT_EQ(OutcomeOf(R"("tokens":[1])"), "wrong_type tokens");
  EXPECT_EQ(OutcomeOf(R"("rag":{"used":"yes"})"), "wrong_type rag.used");
  EXPECT_EQ(OutcomeOf(R"("rag":{"collections":"a"})"), "wrong_type rag.collections");
  EXPECT_EQ(OutcomeOf(R"("rag":{"collections":["a",1]})"), "wrong_type rag.collections");
  EXPECT_EQ(OutcomeOf(R"("query_digest":"abc")"), "wrong_type query_digest");
  EXPECT_EQ(OutcomeOf(R"("query_digest":"zz")"), "wrong_type query_digest");
  EXPECT_EQ(OutcomeOf("\"query_digest\":\"" + std::string(128, 'a') + '"'), "ok");
  EXPECT_EQ(OutcomeOf("\"query_digest\":\"" + std::string(130, 'a') + '"'), "text_too_long query_digest");
}

TEST_F(EventJson, EnumsAreGivenByTheirNames) {
  EXPECT_EQ(Outcome(R"({"type":"TurnRecorded","user":"a"})"), "invalid_enum status");
  EXPECT_EQ(Outcome(R"({"type":"TurnRecorded","user":"a","status":null})"), "invalid_enum status");
  EXPECT_EQ(Outcome(R"({"type":"TurnRecorded","user":"a","status":"Success"})"), "invalid_enum status");
  EXPECT_EQ(Outcome(R"({"type":"TurnRecorded","user":"a","status":1})"), "wrong_type status");
  EXPECT_EQ(Outcome(R"({"type":"VectorsAdded","user":"a","project":"p"})"), "invalid_enum status");
}

TEST_F(EventJson, AnEventNamesNoOtherTenant) {
  EXPECT_EQ(OutcomeOf(R"("tenant":"default")"), "ok");
  EXPECT_EQ(OutcomeOf(R"("tenant":"other")"), "wrong_tenant tenant");
}

TEST_F(EventJson, TextsAreWithinTheirLimitsAndUtf8) {
  EXPECT_EQ(OutcomeOf("\"session\":\"" + std::string(256, 's') + '"'), "ok");
  EXPECT_EQ(OutcomeOf("\"session\":\"" + std::string(257, 's') + '"'), "text_too_long session");
  EXPECT_EQ(OutcomeOf(R"("session":"a\u0000b")"), "ok");
  EXPECT_EQ(OutcomeOf(R"("session":"\ud83c\udf70")"), "ok");
  std::string many = "\"c\"";
  for (int i = 1; i < 64; ++i) many += ",\"c\"";
  EXPECT_EQ(OutcomeOf("\"rag\":{\"collections\":[" + many + "]}"), "ok");
  EXPECT_EQ(OutcomeOf("\"rag\":{\"collections\":[" + many + ",\"c\"]}"), "text_too_long rag.collections");
}

TEST_F(EventJson, WhatIsMissingIsNamed) {
  EXPECT_EQ(Outcome(R"({"type":"TurnRecorded","status":"success"})"), "missing_field user");
  EXPECT_EQ(Outcome(R"({"type":"SessionEnded","user":"a"})"), "missing_field session");
  EXPECT_EQ(Outcome(R"({"type":"SessionEnded","session":"s"})"), "missing_field user");
  EXPECT_EQ(Outcome(R"({"type":"VectorsAdded","user":"a","status":"success"})"), "missing_field project");
  EXPECT_EQ(Outcome(R"({"type":"VectorsAdded","project":"a","status":"success"})"), "missing_field user");
  EXPECT_EQ(Outcome(R"({"type":"CollectionCreated","user":"a","project":"p","status":"success"})"),
            "missing_field collection");
  EXPECT_EQ(Outcome(R"({"type":"CollectionSubscribed","user":"a"})"), "missing_field collection");
  EXPECT_EQ(Outcome(R"({"type":"ConfigChanged"})"), "missing_field user");
  EXPECT_EQ(Outcome(R"({"type":"InteractionRecorded","kind":"db","status":"failed"})"), "missing_field user");
  EXPECT_EQ(Outcome(R"({"type":"TurnAmended"})"), "missing_field original.event_time");
  EXPECT_EQ(Outcome(R"({"type":"TurnAmended","original":{"event_time":1}})"), "missing_field original.user");
  EXPECT_EQ(Outcome(R"({"type":"TurnAmended","original":{"event_time":1,"user":"a"}})"), "missing_field original.id");
}

TEST_F(EventJson, AmountsThatContradictEachOtherAreRefused) {
  EXPECT_EQ(OutcomeOf(R"("tokens":{"output":1,"reasoning":2})"), "inconsistent_amounts ");
  EXPECT_EQ(OutcomeOf(R"("tokens":{"output":-1})"), "negative_amount tokens.output");
  std::string amended = R"({"type":"TurnAmended","original":{"id":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f01",)"
                        R"("event_time":1,"user":"a"},"tokens_delta":{"output":-9223372036854775808}})";
  EXPECT_EQ(Outcome(amended), "ok");
}

// --- asks, ends of holds and definitions

TEST_F(EventJson, AmountsAreAnObjectOfMetersWhoseOrderDoesNotMatter) {
  std::string begin = R"({"type":"HoldAsked","key":"k","event_time":1,"user":"ana","ttl_us":1000000,"amounts":{)";
  ParsedEvents one = Parse(begin + R"("requests":1,"cost_nano_usd":"1125899906842624","bytes":3}})");
  ParsedEvents other = Parse(begin + R"("bytes":3,"vectors":null,"cost_nano_usd":1125899906842624,"requests":1}})");
  ASSERT_FALSE(one.items[0].error.has_value()) << one.items[0].error->message;
  ASSERT_FALSE(other.items[0].error.has_value()) << other.items[0].error->message;
  const std::vector<Amount> expected = {
      {Meter::kRequests, 1}, {Meter::kCost, 1'125'899'906'842'624}, {Meter::kBytes, 3}};
  EXPECT_EQ(one.items[0].event.asked.amounts, expected);
  EXPECT_EQ(Encode(one.items[0].event), Encode(other.items[0].event));
}

TEST_F(EventJson, AnAskIsWrittenFlatWithItsAmountsInTheOrderOfTheMeters) {
  Event event = testing::FullEvent(EventType::kAdmitAsked);
  event.producer.reset();
  event.ask.reset();
  event.asked.collection = "";
  event.asked.amounts = {{Meter::kOperations, 1}, {Meter::kRequests, 1}};
  EXPECT_EQ(EventToJson(event),
            R"({"type":"AdmitAsked","id":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f14",)"
            R"("event_time":"2023-11-14T22:13:20.123456Z","source":"shop","tenant":"default","id_kind":"derived",)"
            R"("user":"ana","project":"p-1","amounts":{"requests":1,"operations":1}})");
}

TEST_F(EventJson, FaultsOfAnAskNameItsField) {
  auto ask = [&](const std::string& fields) { return Outcome(R"({"type":"AdmitAsked",)" + fields + "}"); };
  EXPECT_EQ(ask(R"("user":"a","amounts":{"requests":1})"), "ok");
  EXPECT_EQ(ask(R"("project":"p","collection":"c","amounts":{"searches":1,"operations":1})"), "ok");
  EXPECT_EQ(ask(R"("amounts":{"requests":1})"), "missing_field user");
  EXPECT_EQ(ask(R"("user":"a","collection":"c","amounts":{"requests":1})"), "missing_field project");
  EXPECT_EQ(ask(R"("user":"a")"), "missing_field amounts");
  EXPECT_EQ(ask(R"("user":"a","amounts":{"requests":null})"), "missing_field amounts");
  EXPECT_EQ(ask(R"("user":"a","amounts":[1])"), "wrong_type amounts");
  EXPECT_EQ(ask(R"("user":"a","amounts":{"turns":1})"), "invalid_enum amounts.turns");
  EXPECT_EQ(ask(R"("user":"a","amounts":{"requests":1,"requests":1})"), "duplicate_field amounts.requests");
  EXPECT_EQ(ask(R"("user":"a","amounts":{"requests":-1})"), "negative_amount amounts.requests");
  EXPECT_EQ(ask(R"("user":"a","amounts":{"requests":1.5})"), "wrong_type amounts.requests");
  EXPECT_EQ(ask(R"("user":"a","amounts":{"requests":2})"), "inconsistent_amounts ");
  EXPECT_EQ(ask(R"("user":"a","amounts":{"requests":1},"ttl_us":1000000)"), "unknown_field ttl_us");
  EXPECT_EQ(Outcome(R"({"type":"LeaseAsked","user":"a","amounts":{"bytes":1}})"), "inconsistent_amounts ");
  EXPECT_EQ(Outcome(R"({"type":"LeaseAsked","user":"a","amounts":{"bytes":1},"ttl_us":-1})"), "negative_amount ttl_us");
}

TEST_F(EventJson, AnEndOfAHoldHasWhatItsTypeHas) {
  std::string hold = R"(,"hold":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f66")";
  for (const char* type : {"HoldSettled", "HoldReleased", "LeaseSettled"}) {
    std::string begin = std::string(R"({"type":")") + type + '"';
    EXPECT_EQ(Outcome(begin + "}"), "missing_field hold");
    EXPECT_EQ(Outcome(begin + hold + "}"), "ok");
    EXPECT_EQ(Outcome(begin + hold + R"(,"user":"a"})"), "unknown_field user");
  }
  EXPECT_EQ(Outcome(R"({"type":"HoldSettled","final":true)" + hold + "}"), "unknown_field final");
  EXPECT_EQ(Outcome(R"({"type":"LeaseSettled","final":true,"amounts":{"requests":0})" + hold + "}"), "ok");
  EXPECT_EQ(Outcome(R"({"type":"HoldReleased","amounts":{})" + hold + "}"), "unknown_field amounts");
  std::string reason(1024, 'r');
  EXPECT_EQ(Outcome(R"({"type":"HoldReleased","reason":")" + reason + '"' + hold + "}"), "ok");
  EXPECT_EQ(Outcome(R"({"type":"HoldReleased","reason":"r)" + reason + '"' + hold + "}"), "text_too_long reason");
}

TEST_F(EventJson, ALimitIsHardAndDeniesUnlessItSaysOtherwise) {
  ParsedEvents parsed = Parse(R"({"type":"QuotaSet","level":"tenant","who":"c","why":"w","limits":[
      {"meter":"requests","window":"rolling_24h","cap":5},
      {"cap":null,"window":"gauge","meter":"bytes","over":"collection","mode":"soft","when_unavailable":"last_known"},
      {"meter":"searches","window":"lifetime","mode":null,"over":null,"cap":0}]})");
  ASSERT_FALSE(parsed.items[0].error.has_value()) << parsed.items[0].error->message;
  const std::vector<Limit> expected = {
      {Meter::kRequests, Window::kRolling24h, std::nullopt, 5, LimitMode::kHard, WhenUnavailable::kDeny},
      {Meter::kBytes, Window::kGauge, Scope::kCollection, std::nullopt, LimitMode::kSoft, WhenUnavailable::kLastKnown},
      {Meter::kSearches, Window::kLifetime, std::nullopt, 0, LimitMode::kHard, WhenUnavailable::kDeny}};
  EXPECT_EQ(parsed.items[0].event.definition.limits, expected);
  EXPECT_NE(EventToJson(parsed.items[0].event)
                .find(R"("limits":[{"meter":"requests","window":"rolling_24h","cap":5,"mode":"hard",)"
                      R"("when_unavailable":"deny"},{"meter":"bytes","window":"gauge","over":"collection",)"
                      R"("mode":"soft","when_unavailable":"last_known"},)"),
            std::string::npos);
}

TEST_F(EventJson, FaultsOfALimitNameIt) {
  std::string first = R"({"meter":"requests","window":"hour"},)";
  auto limit = [&](const std::string& second) {
    return Outcome(R"({"type":"LimitOverridden","who":"c","why":"w","limits":[)" + first + second + "]}");
  };
  EXPECT_EQ(limit(R"({"meter":"requests","window":"day"})"), "ok");
  EXPECT_EQ(limit(R"({"window":"day"})"), "invalid_enum limits[1].meter");
  EXPECT_EQ(limit(R"({"meter":"requests"})"), "invalid_enum limits[1].window");
  EXPECT_EQ(limit(R"({"meter":"turns","window":"day"})"), "invalid_enum limits[1].meter");
  EXPECT_EQ(limit(R"({"meter":"requests","window":"day","over":"all"})"), "invalid_enum limits[1].over");
  EXPECT_EQ(limit(R"({"meter":"requests","window":"day","mode":""})"), "invalid_enum limits[1].mode");
  EXPECT_EQ(limit(R"({"meter":"requests","window":"day","when_unavailable":"x"})"),
            "invalid_enum limits[1].when_unavailable");
  EXPECT_EQ(limit(R"({"meter":"requests","window":"day","cap":-1})"), "negative_amount limits[1].cap");
  EXPECT_EQ(limit(R"({"meter":"requests","window":"day","most":1})"), "unknown_field limits[1].most");
  EXPECT_EQ(limit(R"({"meter":"requests","window":"day","cap":1,"cap":1})"), "duplicate_field limits[1].cap");
  EXPECT_EQ(limit("7"), "wrong_type limits[1]");
  EXPECT_EQ(limit("null"), "wrong_type limits[1]");
  EXPECT_EQ(limit(R"({"meter":"requests","window":"hour"})"), "inconsistent_amounts ");
  EXPECT_EQ(limit(R"({"meter":"requests","window":"gauge"})"), "inconsistent_amounts ");
  std::string many = R"({"meter":"requests","window":"hour"})";
  for (int i = 2; i < 65; ++i) many += R"(,{"meter":"requests","window":"hour"})";
  EXPECT_EQ(limit(many), "text_too_long limits");
  EXPECT_EQ(Outcome(R"({"type":"LimitOverridden","who":"c","why":"w","limits":{}})"), "wrong_type limits");
}

TEST_F(EventJson, ADefinitionSaysWhoAndWhyAndOfWhom) {
  EXPECT_EQ(Outcome(R"({"type":"ProfileAssigned","why":"w"})"), "missing_field who");
  EXPECT_EQ(Outcome(R"({"type":"ProfileAssigned","who":"c"})"), "missing_field why");
  EXPECT_EQ(Outcome(R"({"type":"ProfileAssigned","who":"c","why":"w"})"), "ok");
  EXPECT_EQ(Outcome(R"({"type":"ProfileDefined","who":"c","why":"w"})"), "missing_field name");
  EXPECT_EQ(Outcome(R"({"type":"ZoneSet","who":"c","why":"w"})"), "missing_field zone");
  EXPECT_EQ(Outcome(R"({"type":"EnforcementSet","who":"c","why":"w"})"), "invalid_enum enforcement");
  EXPECT_EQ(Outcome(R"({"type":"QuotaSet","who":"c","why":"w"})"), "invalid_enum level");
  auto quota = [&](const std::string& fields) {
    return Outcome(R"({"type":"QuotaSet","who":"c","why":"w","level":)" + fields + "}");
  };
  EXPECT_EQ(quota(R"("default")"), "ok");
  EXPECT_EQ(quota(R"("default","project":"p")"), "inconsistent_amounts ");
  EXPECT_EQ(quota(R"("user","project":"p")"), "missing_field user");
  EXPECT_EQ(quota(R"("user_project","user":"a")"), "missing_field project");
  EXPECT_EQ(quota(R"("collection","collection":"c")"), "missing_field project");
  EXPECT_EQ(quota(R"("collection","project":"p")"), "missing_field collection");
  EXPECT_EQ(quota(R"("everyone")"), "invalid_enum level");
}

TEST_F(EventJson, ADeletedProfileAndAQuotaOfAUserComeBack) {
  for (Event event : {testing::DeletedProfile(), testing::UserQuota()}) {
    event.producer.reset();
    std::string text = EventToJson(event);
    ParsedEvents parsed = Parse(text);
    ASSERT_FALSE(parsed.items[0].error.has_value()) << parsed.items[0].error->message << "\n" << text;
    EXPECT_EQ(Encode(parsed.items[0].event), Encode(event)) << text;
  }
}

TEST_F(EventJson, ExpectingNothingIsTheNilUuidAndNotTheSameAsNoExpectation) {
  std::string begin = R"({"type":"EnforcementSet","enforcement":"off","who":"c","why":"w")";
  auto expected = [&](const std::string& more) { return Parse(begin + more + "}").items[0].event.definition.expected; };
  EXPECT_EQ(expected(""), std::nullopt);
  EXPECT_EQ(expected(R"(,"expected":null)"), std::nullopt);
  EXPECT_EQ(expected(R"(,"expected":"00000000-0000-0000-0000-000000000000")"), Uuid{});
  EXPECT_EQ(expected(R"(,"expected":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f67")"), testing::UuidOf(0x67));
  EXPECT_EQ(Outcome(begin + R"(,"expected":""})"), "wrong_type expected");
}

TEST_F(EventJson, AShiftSaysFromWhenOnAndHowMuch) {
  auto zone = [](const std::string& shifts) {
    return R"({"type":"ZoneSet","zone":"z","who":"c","why":"w","first_offset_s":-3600,"shifts":)" + shifts + "}";
  };
  ParsedEvents parsed = Parse(zone(R"([{"at":"2023-03-26T01:00:00Z","offset_s":7200},{"at":1698541200000000,)"
                                   R"("offset_s":-3600}])"));
  ASSERT_FALSE(parsed.items[0].error.has_value()) << parsed.items[0].error->message;
  const std::vector<ZoneShift> expected = {{1'679'792'400'000'000, 7200}, {1'698'541'200'000'000, -3600}};
  EXPECT_EQ(parsed.items[0].event.definition.shifts, expected);
  EXPECT_EQ(parsed.items[0].event.definition.first_offset_s, -3600);
  EXPECT_NE(EventToJson(parsed.items[0].event)
                .find(R"("first_offset_s":-3600,"shifts":[{"at":"2023-03-26T01:00:00.000000Z","offset_s":7200},)"),
            std::string::npos);
  EXPECT_EQ(Outcome(zone(R"([{"offset_s":1}])")), "missing_field shifts[0].at");
  EXPECT_EQ(Outcome(zone(R"([{"at":0,"offset_s":1},{"at":1}])")), "missing_field shifts[1].offset_s");
  EXPECT_EQ(Outcome(zone(R"([{"at":-1,"offset_s":1}])")), "time_range shifts[0].at");
  EXPECT_EQ(Outcome(zone(R"([{"at":1,"offset_s":1},{"at":1,"offset_s":2}])")), "inconsistent_amounts ");
  EXPECT_EQ(Outcome(zone(R"([{"at":1,"offset_s":64801}])")), "inconsistent_amounts ");
}

// --- the body

TEST_F(EventJson, OneBadItemDoesNotHarmItsNeighbours) {
  ParsedEvents parsed = Parse("[" + Turn() + "," + Turn(R"("x":{"deep":[1,[2]]})") + "," + Turn() + "]");
  ASSERT_EQ(parsed.items.size(), 3u);
  EXPECT_FALSE(parsed.items[0].error.has_value());
  ASSERT_TRUE(parsed.items[1].error.has_value());
  EXPECT_EQ(parsed.items[1].error->index, 1u);
  EXPECT_FALSE(parsed.items[2].error.has_value());
}

TEST_F(EventJson, AnEmptyArrayHasNoEvents) { EXPECT_EQ(Parse(" [ ] ").items.size(), 0u); }

TEST_F(EventJson, DamagedJsonIsRefusedAsAWholeAndSaysWhere) {
  EXPECT_EQ(Refusal("{\"type\":\"TurnRecorded\" \"user\":1}").substr(0, 26), "malformed JSON at byte 23:");
  EXPECT_EQ(Refusal("[" + Turn() + ",]").find("malformed JSON at byte "), 0u);
  EXPECT_EQ(Refusal("[{\"a\":01}]").find("malformed JSON at byte 7:"), 0u);
  EXPECT_EQ(Refusal("[{\"a\":\"\xff\"}]").find("malformed JSON at byte 7:"), 0u);
}

TEST_F(EventJson, EveryWayOfBeingNoJsonIsRefused) {
  for (const char* text :
       {"{", "[", "}", "]", "[{]", "{}}", "[]]", "{} {}", "{}x", "{}1", "[] []", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{,}", "{a:1}", "{'a':1}", "{\"a\":1 \"b\":2}", "[{}{}]", "[{},]", "[,{}]", "{\"a\":NaN}", "{\"a\":Infinity}",
        "{\"a\":-}", "{\"a\":+1}", "{\"a\":.5}", "{\"a\":1.}", "{\"a\":1e}", "{\"a\":0x1}", "{\"a\":01}", "{\"a\":tru}",
        "{\"a\":truex}", "{\"a\":nul}", "{\"a\":nulls}", "{\"a\":falsy}", "{\"a\":\"b}", "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}", "{\"a\":\"\\ud83c\"}", "{\"a\":\"\\ud83c\\u0041\"}", "{\"a\":\"\n\"}",
        "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\\udc00\\ud83c\"}",
        "{\"a\\q\":1}", "// no\n{}", "{\"a\":[1,2}", "{\"a\":{\"b\":]}}", "nul", "\"abc", "12x"}) {
    EXPECT_NE(Refusal(text), "") << text;
    EXPECT_FALSE(nlohmann::json::accept(text)) << text;
  }
  EXPECT_NE(Refusal("\xef\xbb\xbf{}"), "");  // a byte order mark: the other parser would let it pass
}

TEST_F(EventJson, ABodyIsEventsNotAScalarNorNothing) {
  for (const char* text : {"7", "\"TurnRecorded\"", "true", "null", " 1.5 "}) {
    EXPECT_EQ(Refusal(text), "the body must be one event object or an array of them") << text;
  }
  for (const char* text : {"", " ", "\n\r\t "}) {
    EXPECT_EQ(Refusal(text).find("the body is empty"), 0u);
    EXPECT_EQ(Refusal(text, JsonBody::kLines).find("the body is empty"), 0u);
  }
}

TEST_F(EventJson, NestingIsAtMost32Deep) {
  auto metadata = [&](int arrays) {
    return Turn("\"metadata\":{\"a\":" + std::string(static_cast<size_t>(arrays), '[') +
                std::string(static_cast<size_t>(arrays), ']') + "}");
  };
  EXPECT_EQ(Outcome(metadata(30)), "ok");  // the event and the metadata are the other two
  EXPECT_NE(Refusal(metadata(31)), "");
  EXPECT_NE(Refusal(metadata(1000)), "");
  EXPECT_NE(Refusal(std::string(100'000, '[')), "");
  EXPECT_NE(Refusal("[" + metadata(30) + "]"), "");
}

TEST_F(EventJson, EachLineStandsForItself) {
  std::string body = Turn() + "\n\n" + "{\"type\":\n" + "[" + Turn() + "]\r\n" + "7\nnope\n  \t\n" + Turn("\"x\":1") +
                     "\n" + Turn() + " " + Turn() + "\n" + Turn();
  ParsedEvents parsed = Parse(body, JsonBody::kLines);
  std::vector<std::string> outcomes;
  for (const ParsedEvent& item : parsed.items) outcomes.push_back(item.error.has_value() ? item.error->reason : "ok");
  EXPECT_EQ(outcomes, (std::vector<std::string>{"ok", "malformed_json", "wrong_type", "wrong_type", "malformed_json",
                                                "unknown_field", "malformed_json", "ok"}));
  EXPECT_EQ(parsed.items[1].error->index, 1u);
  std::string at = std::to_string(Turn().size() + 2 + 8);
  EXPECT_EQ(parsed.items[1].error->message, "mend the line at byte " + at + " of the body");
}

TEST_F(EventJson, TooManyEventsAreRefusedBeforeTheyTakeMemory) {
  JsonOptions options = Options();
  options.events_max = 3;
  EXPECT_TRUE(ParseEvents("[{},{},{}]", JsonBody::kWhole, options).ok());
  EXPECT_EQ(ParseEvents("[{},{},{},{}]", JsonBody::kWhole, options).status().message().find("more than 3 events"), 0u);
  EXPECT_TRUE(ParseEvents("{}\n{}\n{}\n", JsonBody::kLines, options).ok());
  EXPECT_FALSE(ParseEvents("{}\n{}\n{}\n{}", JsonBody::kLines, options).ok());
}

bool HasHugeExponent(std::string_view text) {
  auto is_digit = [&](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  for (size_t at = 0; at + 1 < text.size(); ++at) {
    if (text[at] != 'e' && text[at] != 'E') continue;
    size_t digits = at + (text[at + 1] == '+' || text[at + 1] == '-' ? 2 : 1);
    if (is_digit(digits) && is_digit(digits + 1) && is_digit(digits + 2)) return true;
  }
  return false;
}

// What simdjson, read the way JsonReader does, and an independent parser take for JSON must be the same.
TEST_F(EventJson, DamagedBodiesAreJudgedAsByAnotherParser) {
  uint64_t seed = testing::Seed();
  std::cout << "ODOMETER_SEED=" << seed << "\n";
  std::mt19937_64 random(seed);
  std::vector<std::string> corpus = {"[{},{\"a\":[1,-2.5e3,true,false,null,\"x\\u00e9\\n\"]}]"};
  for (EventType type : AllEventTypes()) corpus.push_back(EventToJson(testing::FullEvent(type)));
  static constexpr std::string_view kPieces[] = {"{", "}", "[", "]", ",", ":", "\"", "\\", "0", "1", "-", ".", "e", "t",
                                                 "true", "null", " ", "\n", "\x01", "\xff", "\\ud800",
                                                 "\\udc00", "{}", "[]"};
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string body = corpus[random() % corpus.size()];
    for (uint64_t damages = random() % 3; damages > 0; --damages) {
      size_t at = random() % body.size();
      std::string_view piece = kPieces[random() % std::size(kPieces)];
      body.replace(at, random() % 3, piece);
    }
    if (HasHugeExponent(body)) continue;  // the other parser refuses what a double cannot hold
    bool is_json = nlohmann::json::accept(body);
    std::string refusal = Refusal(body);
    bool is_taken = refusal.empty() || refusal.starts_with("the body must be");
    ASSERT_EQ(is_taken, is_json) << body << "\n" << refusal;
    taken += is_taken;
  }
  EXPECT_GT(taken, 5'000);
}

// --- what is written

TEST_F(EventJson, ATurnIsWrittenFlatWithItsEnvelopeFirst) {
  Event event = testing::MinimalTurn();
  event.event_time.us = 1'700'158'623'979'960;
  EXPECT_EQ(EventToJson(event),
            R"({"type":"TurnRecorded","id":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4faa",)"
            R"("event_time":"2023-11-16T18:17:03.979960Z","tenant":"default","id_kind":"minted","user":"ana",)"
            R"("tokens":{"input_uncached":0,"cache_read":0,"cache_write_5m":0,"cache_write_1h":0,"output":0,)"
            R"("reasoning":0},"status":"success"})");
}

TEST_F(EventJson, NumbersThatOthersWouldRoundAreWrittenAsText) {
  Event event = testing::FullEvent(EventType::kTurnAmended);
  event.amendment.llm_calls_delta = 9'007'199'254'740'992;
  event.amendment.rag_output_tokens_saved_delta = -9'007'199'254'740'993;
  std::string text = EventToJson(event);
  EXPECT_NE(text.find(R"("llm_calls_delta":9007199254740992,)"), std::string::npos);
  EXPECT_NE(text.find(R"("rag_output_tokens_saved_delta":"-9007199254740993")"), std::string::npos);
  EXPECT_NE(text.find(R"("provided_cost_delta_nano_usd":"-9223372036854775808")"), std::string::npos);
}

TEST_F(EventJson, MetadataIsWrittenAsPostedOnOneLine) {
  Event event = testing::MinimalTurn();
  event.turn.metadata = "{ \"a\" :\n 1.50,\"a\":1e400 }";
  EXPECT_NE(EventToJson(event).find("\"metadata\":{ \"a\" :  1.50,\"a\":1e400 }"), std::string::npos);
  event.turn.metadata = "{not an object}";
  EXPECT_NE(EventToJson(event).find(R"("metadata":"{not an object}")"), std::string::npos);
}

TEST_F(EventJson, OwnEventsAreShownWithAllThatTheySay) {
  std::string gap = EventToJson(testing::FullEvent(EventType::kGapReported));
  nlohmann::json read = nlohmann::json::parse(gap);
  EXPECT_EQ(read["ranges"][1]["last"], 12);
  EXPECT_EQ(read["producer"]["seq"], 17);
  EXPECT_EQ(read["of_producer"], testing::UuidOf(0x55).ToString());
  EXPECT_EQ(nlohmann::json::parse(EventToJson(testing::FullEvent(EventType::kGenesis)))["partitions"], 8);
  EXPECT_EQ(nlohmann::json::parse(EventToJson(testing::FullEvent(EventType::kTick)))["reason"], "silent");
}

TEST_F(EventJson, ACrossingIsWrittenWithTheNamesOfItsLimit) {
  Event event = testing::FullEvent(EventType::kLimitCrossed);
  event.producer.reset();
  event.ask.reset();
  event.crossing.used = 9'007'199'254'740'993;
  EXPECT_EQ(EventToJson(event),
            R"({"type":"LimitCrossed","id":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f3f",)"
            R"("event_time":"2023-11-14T22:13:20.123456Z","source":"shop","tenant":"default","id_kind":"derived",)"
            R"("user":"ana","project":"p-1","over":"user_in_project","meter":"total_tokens","window":"month",)"
            R"("percent":95,"cap":2000000,"used":"9007199254740993","level":"user_project_quota","of_source":"p-1",)"
            R"("definition":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f68","instance":1698793200000000,)"
            R"("cause":"018f3c5e-7a10-7c3d-9b1e-5a0c6d2e4f69"})");
  nlohmann::json read = nlohmann::json::parse(EventToJson(testing::CollectionCrossing()));
  EXPECT_EQ(read["collection"], "manuals");
  EXPECT_FALSE(read.contains("user"));
}

}  // namespace
}  // namespace odometer
