#include "state/digest.h"

#include <sodium.h>

#include "state/age.h"
#include "state/dump.h"
#include "state/limit_rows.h"

namespace odometer {

namespace {

class Hasher {
 public:
  Hasher() { crypto_generichash_init(&state_, nullptr, 0, 32); }
  void Bytes(std::string_view bytes) {
    crypto_generichash_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  }
  void Sized(std::string_view bytes) {
    char size[4];
    for (int i = 0; i < 4; ++i) size[i] = static_cast<char>(bytes.size() >> (8 * i));
    Bytes({size, 4});
    Bytes(bytes);
  }
  Digest Finish() {
    Digest digest;
    crypto_generichash_final(&state_, digest.bytes.data(), digest.bytes.size());
    return digest;
  }

 private:
  crypto_generichash_state state_;
};

template <class Row>
bool Age(std::string_view bytes, int64_t moment_us, std::string* out) {
  Row row;
  if (!DecodeRow(bytes, &row)) return false;
  AgeRow(&row, moment_us);
  EncodeRow(row, out);
  return true;
}

// Rows without rings and steps are canonical as they are stored.
bool Canonical(RowKind kind, std::string_view bytes, int64_t moment_us, std::string* out) {
  out->clear();
  if (kind == RowKind::kAccount) return Age<AccountRow>(bytes, moment_us, out);
  if (kind == RowKind::kProject || kind == RowKind::kProjectUser) return Age<ProjectRow>(bytes, moment_us, out);
  if (kind == RowKind::kLimitUse) return Age<LimitUseRow>(bytes, moment_us, out);
  *out = bytes;
  return true;
}

Result<Digest> DigestOf(const View& view, const std::string& tenant) {
  Result<int64_t> moment = MomentOf(view, tenant);
  if (!moment.ok()) return moment.status();
  Hasher hasher;
  std::string canonical;
  Status failure;
  for (RowKind kind : LogicalKinds()) {
    std::string begin = KeyBuilder().Begin(kind).Text(tenant).str();
    ODOMETER_RETURN_IF_ERROR(view.Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view value) {
      if (!Canonical(kind, value, *moment, &canonical)) {
        failure = Status(Code::kCorrupt, "a row's bytes cannot be read");
        return false;
      }
      hasher.Sized(key);
      hasher.Sized(canonical);
      return true;
    }));
    if (!failure.ok()) return failure;
  }
  return hasher.Finish();
}

}  // namespace

std::string Digest::hex() const {
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

Result<StateDigests> ComputeDigests(const std::vector<std::shared_ptr<const View>>& views,
                                    std::optional<std::string> tenant) {
  StateDigests digests;
  for (const std::shared_ptr<const View>& view : views) {
    std::vector<std::string> tenants;
    std::string begin = KeyBuilder().Begin(RowKind::kTenant).str();
    ODOMETER_RETURN_IF_ERROR(view->Scan(begin, PrefixEnd(begin), [&](std::string_view key, std::string_view) {
      std::string_view name;
      if (KeyReader reader(key); reader.Text(&name) && (!tenant || name == *tenant)) tenants.emplace_back(name);
      return true;
    }));
    for (const std::string& name : tenants) {
      Result<Digest> digest = DigestOf(*view, name);
      if (!digest.ok()) return digest.status();
      digests.tenants[name] = *digest;
    }
  }
  Hasher hasher;
  for (const auto& [name, digest] : digests.tenants) {
    hasher.Sized(name);
    hasher.Bytes({reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()});
  }
  digests.state = hasher.Finish();
  return digests;
}

std::string LogDigest(const std::vector<std::shared_ptr<const View>>& views) {
  Hasher hasher;
  for (const std::shared_ptr<const View>& view : views) {
    const MetaRow& meta = view->meta();
    uint64_t numbers[4] = {meta.partition, meta.cursor, meta.rolling_hash[0], meta.rolling_hash[1]};
    hasher.Bytes({reinterpret_cast<const char*>(numbers), sizeof numbers});
  }
  return hasher.Finish().hex();
}

}  // namespace odometer
