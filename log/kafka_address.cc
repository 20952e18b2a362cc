#include "log/kafka_address.h"

#include <algorithm>

namespace odometer {

namespace {

bool IsTopicName(const std::string& text) {
  if (text.empty() || text.size() > 249 || text == "." || text == "..") return false;
  for (char c : text) {
    bool is_legal =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!is_legal) return false;
  }
  return true;
}

bool IsBroker(const std::string& text) {
  size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size() || text.size() - colon > 6) return false;
  for (char c : text.substr(colon + 1)) {
    if (c < '0' || c > '9') return false;
  }
  return std::stoi(text.substr(colon + 1)) <= 65535 && text.find_first_of(" \t@?#") == std::string::npos;
}

}  // namespace

Result<KafkaAddress> KafkaAddress::Parse(const std::string& url) {
  auto wrong = [&](const std::string& what) {
    return Status(Code::kInvalid, "\"" + url + "\": " + what + "; expected kafka://HOST:PORT[,HOST:PORT][/TOPIC]");
  };
  if (!IsUrl(url)) return wrong("not a kafka:// address");
  KafkaAddress address;
  std::string rest = url.substr(sizeof(kKafkaScheme) - 1);
  if (size_t slash = rest.find('/'); slash != std::string::npos) {
    address.topic = rest.substr(slash + 1);
    rest.resize(slash);
    if (!IsTopicName(address.topic)) return wrong("\"" + address.topic + "\" is no topic name");
  }
  address.brokers = rest;
  for (size_t at = 0; at <= rest.size();) {
    size_t comma = std::min(rest.find(',', at), rest.size());
    if (std::string broker = rest.substr(at, comma - at); !IsBroker(broker))
      return wrong("\"" + broker + "\" is no HOST:PORT");
    at = comma + 1;
  }
  return address;
}

}  // namespace odometer
