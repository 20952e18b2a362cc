#include "core/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace odometer {
namespace {

std::string Encoded(uint32_t code_point) {
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  std::string tail;
  uint32_t lead_limit = 0x40;
  while (code_point >= lead_limit) {
    tail.insert(tail.begin(), static_cast<char>(0x80 | (code_point & 0x3f)));
    code_point >>= 6;
    lead_limit = lead_limit == 0x40 ? 0x20 : lead_limit / 2;
  }
  uint32_t marker = tail.size() == 1 ? 0xc0 : tail.size() == 2 ? 0xe0 : 0xf0;
  return static_cast<char>(marker | code_point) + tail;
}

TEST(Utf8, EveryCodePointIsTextExceptSurrogates) {
  for (uint32_t code_point = 0; code_point <= 0x10ffff; ++code_point) {
    bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
    ASSERT_EQ(IsUtf8(Encoded(code_point)), !is_surrogate) << std::hex << code_point;
  }
  for (uint32_t code_point = 0x110000; code_point <= 0x1fffff; ++code_point) {
    ASSERT_FALSE(IsUtf8(Encoded(code_point))) << std::hex << code_point;
  }
}

TEST(Utf8, OverlongAndBrokenFormsAreRefused) {
  for (const char* text : {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
                           "\xf0\x8f\xbf\xbf", "\xf8\x88\x80\x80\x80", "\x80", "\xbf", "\xc3", "\xe2\x82",
                           "\xf0\x9f\x8d", "\xc3\x28", "\xe2\x28\xa1", "\xe2\x82\x28", "\xf0\x28\x8c\xbc", "\xff",
                           "\xfe"}) {
    EXPECT_FALSE(IsUtf8(text));
  }
}

TEST(Utf8, AFaultIsFoundAtEveryPlaceOfALongText) {
  for (size_t size = 1; size <= 40; ++size) {
    for (size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      EXPECT_TRUE(IsUtf8(text));
      text[at] = '\xe9';
      EXPECT_FALSE(IsUtf8(text)) << at << " of " << size;
      text.replace(at, 1, "\xc3\xa9");
      EXPECT_TRUE(IsUtf8(text)) << at << " of " << size;
    }
  }
}

TEST(Utf8, NothingAndNulAreText) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8(std::string_view("\0", 1)));
}

}  // namespace
}  // namespace odometer
