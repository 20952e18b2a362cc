// core/utf8.h: whether a text is UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
// A NUL is a character like any other.
#pragma once

#include <string_view>

namespace odometer {

bool IsUtf8(std::string_view text);

}  // namespace odometer
