// core/text_check.h: TextCheck, whether the texts of an event are UTF-8 and within their limits, all in one pass.
//
//   TextCheck check;
//   check.Names(event.tenant, event.source);
//   check.Text(turn.metadata, kMetadataBytesMax);
//   return check.reason();                          // invalid_utf8 comes before text_too_long
#pragma once

#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/reason.h"
#include "core/utf8.h"

namespace odometer {

class TextCheck {
 public:
  void Name(std::string_view text) { Text(text, kIdTextBytesMax); }
  template <class... Texts>
  void Names(const Texts&... texts) {
    (Name(texts), ...);
  }
  void Text(std::string_view text, size_t bytes_max) {
    if (text.size() > bytes_max) {
      is_too_long_ = true;
    } else if (!IsUtf8(text)) {
      is_invalid_ = true;
    }
  }
  void List(const std::vector<std::string_view>& texts, size_t count_max, size_t bytes_max) {
    Count(texts.size(), count_max);
    if (texts.size() > count_max) return;
    for (std::string_view text : texts) Text(text, bytes_max);
  }
  void Bytes(std::string_view bytes, size_t bytes_max) { Count(bytes.size(), bytes_max); }
  // Of a list whose elements have no text.
  void Count(size_t count, size_t count_max) { is_too_long_ |= count > count_max; }

  Reason reason() const {
    return is_invalid_ ? Reason::kInvalidUtf8 : is_too_long_ ? Reason::kTextTooLong : Reason::kNone;
  }

 private:
  bool is_invalid_ = false;
  bool is_too_long_ = false;
};

}  // namespace odometer
