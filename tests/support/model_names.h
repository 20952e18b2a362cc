// tests/support/model_names.h: how the Model names its rows.
//
//   model::RowName("day", tenant).Text(user).Number(19678).Take();   // "day[default,ann,19678]"
//
// In a text part every byte outside [A-Za-z0-9_.:-] is %XX. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace odometer::model {

class RowName {
 public:
  RowName(std::string_view kind, std::string_view tenant) : name_(std::string(kind) + "[") { Part(tenant); }

  RowName& Text(std::string_view text) {
    name_ += ',';
    Part(text);
    return *this;
  }
  RowName& Number(int64_t number) {
    name_ += ',' + std::to_string(number);
    return *this;
  }
  std::string Take() { return std::move(name_) + "]"; }

 private:
  void Part(std::string_view text) {
    static constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
    static constexpr std::string_view kHex = "0123456789ABCDEF";
    for (char c : text) {
      if (kPlain.find(c) != std::string_view::npos) {
        name_ += c;
      } else {
        uint8_t byte = static_cast<uint8_t>(c);
        name_ += {'%', kHex[byte >> 4], kHex[byte & 15]};
      }
    }
  }

  std::string name_;
};

}  // namespace odometer::model
