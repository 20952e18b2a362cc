// consumers/queries_cursor.h: Cursor, where the next page of a listing begins, as an opaque token.
//
//   Cursor cursor{FilterHash({"turns", tenant, user, session}), {pinned, last_offset}, ""};
//   std::string token = cursor.ToToken();                       // base64url
//   Result<Cursor> back = Cursor::FromToken(token, filter);     // kInvalid when damaged, or made for another listing
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace odometer {

struct Cursor {
  uint64_t filter = 0;           // of the listing that it goes on with
  std::vector<int64_t> numbers;  // what these say is the listing's own
  std::string text;

  std::string ToToken() const;
  // filter: that of the listing asked for; numbers: how many the listing puts into its cursors.
  static Result<Cursor> FromToken(std::string_view token, uint64_t filter, size_t numbers);

  template <class Self, class V>
  static void Fields(Self& cursor, V&& v) {
    v("filter", cursor.filter);
    v("numbers", cursor.numbers);
    v("text", cursor.text);
  }
};

// One number for everything that selects a listing; the parts are length-prefixed, so no two selections share it by
// shape.
uint64_t FilterHash(std::initializer_list<std::string_view> parts);

std::string ToBase64(std::string_view bytes);     // RFC 4648 section 4, padded
std::string ToBase64Url(std::string_view bytes);  // section 5, without padding

}  // namespace odometer
