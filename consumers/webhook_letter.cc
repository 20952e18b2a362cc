#include "consumers/webhook_letter.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "consumers/queries_cursor.h"

namespace odometer {

namespace {

std::string FromBase64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                             reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return {};
  for (size_t i = text.size(); i > 0 && text[i - 1] == '='; --i) --size;
  bytes.resize(static_cast<size_t>(std::max(size, 0)));
  return bytes;
}

std::string SigningKeyOf(const std::string& secret) {
  constexpr std::string_view kPrefix = "whsec_";
  return secret.starts_with(kPrefix) ? FromBase64(std::string_view(secret).substr(kPrefix.size())) : secret;
}

}  // namespace

bool HasSigningKey(const std::string& secret) { return !SigningKeyOf(secret).empty(); }

std::string WebhookBody(uint32_t partition, const Alert& alert) {
  JsonWriter json;
  json.Object().Field("type", "limit.crossed").Key("timestamp").Time(alert.row.crossed_us);
  json.Key("data").Object().Field("tenant", alert.tenant);
  WriteAlert(json, partition, alert);
  json.End().End();
  return json.Take();
}

std::string WebhookSignature(const std::string& secret, const std::string& id, int64_t timestamp_s,
                             const std::string& body) {
  std::string key = SigningKeyOf(secret), text = id + "." + std::to_string(timestamp_s) + "." + body;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest.data(), &size);
  return "v1," + ToBase64({reinterpret_cast<const char*>(digest.data()), size});
}

}  // namespace odometer
