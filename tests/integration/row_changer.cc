// row_changer: adds to a figure of a user in the store of a stopped daemon, which no record of its log did. For
// doctor_test.py, which then looks for the drift.
//
//   row_changer DIR/state/p00000 default ann 5
#include <iostream>
#include <string>

#include "state/codec.h"
#include "state/rows.h"
#include "state/store.h"

namespace odometer {
namespace {

// The store says itself which log it was made for.
Result<StoreOptions> OptionsOf(const std::string& path) {
  StoreOptions options;
  options.path = path;
  options.read_only = true;
  Result<std::unique_ptr<Store>> store = Store::Open(options);
  if (!store.ok()) return store.status();
  options.read_only = false;
  options.log_id = (*store)->meta().log_id;
  options.partition = (*store)->meta().partition;
  options.partitions = (*store)->meta().partitions;
  return options;
}

Status AddRequests(const std::string& path, const std::string& tenant, const std::string& user, int64_t requests) {
  Result<StoreOptions> options = OptionsOf(path);
  if (!options.ok()) return options.status();
  Result<std::unique_ptr<Store>> store = Store::Open(*options);
  if (!store.ok()) return store.status();
  std::string key = KeyBuilder().Begin(RowKind::kAccount).Text(tenant).Text(user).str();
  Result<std::optional<AccountRow>> row = ReadRow<AccountRow>(*(*store)->NewView(), key);
  if (!row.ok()) return row.status();
  if (!row->has_value()) return Status(Code::kNotFound, "no such user");
  (*row)->usage.requests += requests;
  RowBatch batch;
  batch.Put(key, EncodeRow(**row));
  ODOMETER_RETURN_IF_ERROR((*store)->Commit(batch, (*store)->meta()));
  return (*store)->Sync();
}

}  // namespace
}  // namespace odometer

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  odometer::Status status = odometer::AddRequests(argv[1], argv[2], argv[3], std::stoll(argv[4]));
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}
