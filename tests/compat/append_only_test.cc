#include "tests/compat/append_only.h"

#include <flatbuffers/idl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <string_view>

#include "tests/compat/files.h"

namespace odometer::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kReleased[] = R"(
namespace n;
struct Point { x:long; y:long; }
enum Color : ubyte { unknown = 0, red = 1, green = 2 }
table A { text:string (id: 0); number:long (id: 1); old:long (id: 2, deprecated); }
table B { color:Color (id: 0); maybe:long = null (id: 1); at:Point (id: 2); list:[long] (id: 3); a:[A] (id: 4); }
table C { name:string (id: 0); ratio:double = 0.5 (id: 1); must:string (id: 2, required); }
union U { A = 1, B = 2, C = 5 }
table Root { u:U (id: 1); }
root_type Root;
file_identifier "TEST";
)";

std::string Compiled(const std::string& text) {
  flatbuffers::Parser parser;
  EXPECT_TRUE(parser.Parse(text.c_str())) << parser.error_ << "\n" << text;
  parser.Serialize();
  return {reinterpret_cast<const char*>(parser.builder_.GetBufferPointer()), parser.builder_.GetSize()};
}

// The breaks after one replacement in the released text.
std::vector<std::string> After(const std::string& from, const std::string& to) {
  std::string text = kReleased;
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  return AppendOnlyBreaks(Compiled(kReleased), Compiled(text));
}

#define EXPECT_ONE_BREAK(breaks, words) EXPECT_THAT(breaks, ElementsAre(HasSubstr(words)))

TEST(AppendOnly, TheSchemaOfThisBuildBreaksNothingReleased) {
  int released = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ODOMETER_GOLDEN_DIR)) {
    if (entry.path().extension() != ".bfbs") continue;
    ++released;
    EXPECT_THAT(AppendOnlyBreaks(ReadFile(entry.path()), ReadFile(ODOMETER_BFBS)), IsEmpty()) << entry.path();
  }
  EXPECT_GE(released, 1);
}

struct SchemaName {
  size_t at;
  size_t size;
  bool is_union_member;
};

bool IsNameCharacter(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Where the fields with an id, the enum values and the union members of a schema are named: "name:type (id: 3)" and
// "name = 3", the value 0 apart.
std::vector<SchemaName> NamesIn(const std::string& text) {
  std::vector<SchemaName> names;
  for (size_t at = 0, end; at < text.size(); at = end + 1) {
    end = at;
    if (text.compare(at, 2, "//") == 0) end = text.find('\n', at);
    if (!IsNameCharacter(text[at])) continue;
    while (IsNameCharacter(text[end])) ++end;
    std::string_view rest = std::string_view(text).substr(end);
    bool is_field = rest.starts_with(':') && rest.find("(id:") < rest.find(';');
    bool is_value = rest.starts_with(" = ") && rest[3] >= '1' && rest[3] <= '9';
    bool is_table = std::isupper(static_cast<unsigned char>(text[at])) != 0;
    if (is_field || is_value) names.push_back({at, end - at, is_value && is_table});
  }
  return names;
}

// The gate on the real schema: each of its names is changed in turn, and missed. A union member is the name of its
// table and moves to another one instead.
TEST(AppendOnly, NoNameOfTheRealSchemaCanBeChangedUnseen) {
  std::string text = ReadFile(ODOMETER_SCHEMA);
  std::string released = Compiled(text);
  std::vector<SchemaName> names = NamesIn(text);
  EXPECT_GE(names.size(), 170u);
  for (const SchemaName& name : names) {
    std::string changed = text;
    changed.insert(name.at + name.size, name.is_union_member ? ":Tokens" : "_x");
    EXPECT_THAT(AppendOnlyBreaks(released, Compiled(changed)), Not(IsEmpty())) << text.substr(name.at, name.size);
  }
}

TEST(AppendOnly, NothingChangedBreaksNothing) { EXPECT_THAT(After("table A", "table A"), IsEmpty()); }

TEST(AppendOnly, WhatIsAddedBreaksNothing) {
  EXPECT_THAT(After("number:long (id: 1);", "number:long (id: 1); more:[string] (id: 3);"), IsEmpty());
  EXPECT_THAT(After("green = 2", "green = 2, blue = 3"), IsEmpty());
  EXPECT_THAT(After("union U { A = 1,", "table D { x:long; } union U { A = 1, D = 9,"), IsEmpty());
  EXPECT_THAT(After("number:long (id: 1)", "number:long (id: 1, deprecated)"), IsEmpty());
}

TEST(AppendOnly, ADeletedFieldBreaks) {
  EXPECT_ONE_BREAK(After("list:[long] (id: 3); a:[A] (id: 4);", "list:[long] (id: 3);"), "n.B.a: deleted or renamed");
}

TEST(AppendOnly, ARenamedFieldBreaks) {
  EXPECT_ONE_BREAK(After("text:string (id: 0)", "words:string (id: 0)"), "n.A.text: deleted or renamed");
}

TEST(AppendOnly, AFieldUnderAnotherIdBreaks) {
  std::vector<std::string> breaks =
      After("text:string (id: 0); number:long (id: 1)", "text:string (id: 1); number:long (id: 0)");
  EXPECT_THAT(breaks, Contains(HasSubstr("n.A.text: its id was 0 and is now 1")));
  EXPECT_THAT(breaks, Contains(HasSubstr("n.A.number: its id was 1 and is now 0")));
}

TEST(AppendOnly, AFieldOfAnotherTypeBreaks) {
  EXPECT_ONE_BREAK(After("number:long", "number:ulong"), "n.A.number: its type was 'Long' and is now 'ULong'");
  EXPECT_ONE_BREAK(After("list:[long]", "list:[int]"), "n.B.list: its type was 'Vector of Long'");
  EXPECT_ONE_BREAK(After("a:[A]", "a:[C]"), "n.B.a: its type was 'Vector of Obj n.A'");
  EXPECT_ONE_BREAK(After("text:string (id: 0)", "text:[ubyte] (id: 0)"), "n.A.text: its type");
}

TEST(AppendOnly, AFieldWithAnotherDefaultBreaks) {
  EXPECT_ONE_BREAK(After("number:long (id: 1)", "number:long = 1 (id: 1)"), "n.A.number: its default");
  EXPECT_ONE_BREAK(After("color:Color (id: 0)", "color:Color = red (id: 0)"), "n.B.color: its default");
  EXPECT_ONE_BREAK(After("ratio:double = 0.5", "ratio:double = 0.25"), "n.C.ratio: its default");
  EXPECT_ONE_BREAK(After("maybe:long = null", "maybe:long"), "n.B.maybe: its being optional");
}

TEST(AppendOnly, AFieldThatMustBeThereNowBreaks) {
  EXPECT_THAT(After("text:string (id: 0)", "text:string (id: 0, required)"),
              Contains(HasSubstr("n.A.text: its being required")));
  EXPECT_ONE_BREAK(After("name:string (id: 0);", "name:string (id: 0); new:string (id: 3, required);"),
                   "n.C.new: new and required");
  EXPECT_THAT(After("must:string (id: 2, required)", "must:string (id: 2)"),
              Contains(HasSubstr("n.C.must: its being required")));
}

TEST(AppendOnly, ADeprecatedFieldThatComesBackBreaks) {
  EXPECT_ONE_BREAK(After("(id: 2, deprecated)", "(id: 2)"), "n.A.old: deprecated once");
}

TEST(AppendOnly, AnyChangeOfAStructBreaks) {
  EXPECT_THAT(After("y:long;", "y:long; z:long;"), Contains(HasSubstr("n.Point: its number of fields")));
  EXPECT_THAT(After("y:long;", "y:int;"), Contains(HasSubstr("n.Point.y: its type")));
  EXPECT_THAT(After("x:long; y:long;", "y:long; x:long;"), Contains(HasSubstr("n.Point.x: its place")));
  EXPECT_THAT(After("struct Point", "table Point"), Contains(HasSubstr("n.Point: its being a struct")));
}

TEST(AppendOnly, ADeletedOrRenamedEnumValueBreaks) {
  EXPECT_ONE_BREAK(After(", green = 2", ""), "n.Color.green: deleted or renamed");
  EXPECT_ONE_BREAK(After("green = 2", "lime = 2"), "n.Color.green: deleted or renamed");
}

TEST(AppendOnly, ARenumberedEnumValueBreaks) {
  EXPECT_ONE_BREAK(After("green = 2", "green = 3"), "n.Color.green: its number was 2 and is now 3");
  EXPECT_THAT(After("red = 1, green = 2", "blue = 1, red = 2, green = 3"), SizeIs(2));
}

TEST(AppendOnly, AnEnumOfAnotherWidthBreaks) {
  EXPECT_THAT(After("Color : ubyte", "Color : short"), Contains(HasSubstr("n.Color: its underlying type")));
}

TEST(AppendOnly, ADeletedUnionMemberBreaks) {
  EXPECT_ONE_BREAK(After("A = 1, B = 2, C = 5", "A = 1, B = 2"), "n.U.C: deleted or renamed");
}

TEST(AppendOnly, ARenumberedUnionMemberBreaks) {
  EXPECT_ONE_BREAK(After("A = 1, B = 2, C = 5", "A = 1, B = 2, C = 3"), "n.U.C: its number was 5 and is now 3");
  EXPECT_THAT(After("A = 1, B = 2, C = 5", "B = 1, A = 2, C = 5"), SizeIs(2));
}

TEST(AppendOnly, AUnionMemberWithAnotherTableBreaks) {
  EXPECT_ONE_BREAK(After("A = 1, B = 2, C = 5", "A = 1, B:C = 2, C = 5"), "n.U.B: its type");
}

TEST(AppendOnly, ADeletedTableOrEnumBreaks) {
  EXPECT_THAT(After("union U { A = 1, B = 2, C = 5 }", "union V { A = 1, B = 2, C = 5 } union U { A = 1, B = 2 }"),
              ElementsAre(HasSubstr("n.U.C: deleted or renamed")));
  std::string smaller = "namespace n; table Root { x:long; } root_type Root; file_identifier \"TEST\";";
  std::vector<std::string> breaks = AppendOnlyBreaks(Compiled(kReleased), Compiled(smaller));
  EXPECT_THAT(breaks, Contains("n.A: deleted or renamed"));
  EXPECT_THAT(breaks, Contains("n.Color: deleted or renamed"));
  EXPECT_THAT(breaks, Contains("n.U: deleted or renamed"));
}

TEST(AppendOnly, AnotherRootOrIdentifierBreaks) {
  EXPECT_ONE_BREAK(After("root_type Root", "root_type A"), "root type was 'n.Root' and is now 'n.A'");
  EXPECT_ONE_BREAK(After("TEST", "TEXT"), "file identifier was 'TEST' and is now 'TEXT'");
}

TEST(AppendOnly, AFileThatIsNotASchemaPassesNothing) {
  std::string schema = Compiled(kReleased);
  EXPECT_THAT(AppendOnlyBreaks("", schema), SizeIs(1));
  EXPECT_THAT(AppendOnlyBreaks(schema, schema.substr(0, 40)), SizeIs(1));
}

}  // namespace
}  // namespace odometer::testing
