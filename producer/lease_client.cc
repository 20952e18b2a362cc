#include "odometer/lease_client.h"

#include <utility>

#include "producer/host_clock.h"
#include "producer/http_lease_transport.h"
#include "producer/lease_keeper.h"

namespace odometer {

namespace {

Status CheckRange(const char* name, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return Status::Ok();
  return Status(Code::kInvalid, std::string("lease: ") + name + " is " + std::to_string(value) + "; from " +
                                    std::to_string(least) + " to " + std::to_string(most));
}

Status Check(const LeaseOptions& options) {
  constexpr int64_t kMinuteMs = 60'000;
  if (!options.on_unavailable)
    return Status(Code::kInvalid, "lease: say in on_unavailable what holds while the daemon does not answer");
  ODOMETER_RETURN_IF_ERROR(CheckRange("slice", options.slice, 1, LeaseClient::kAmountMax));
  ODOMETER_RETURN_IF_ERROR(CheckRange("ttl_ms", options.ttl_ms, 1'000, 60 * kMinuteMs));
  ODOMETER_RETURN_IF_ERROR(CheckRange("renew_below_percent", options.renew_below_percent, 0, 99));
  ODOMETER_RETURN_IF_ERROR(CheckRange("deadline_ms", options.deadline_ms, 1, kMinuteMs));
  ODOMETER_RETURN_IF_ERROR(CheckRange("request_deadline_ms", options.request_deadline_ms, 1, kMinuteMs));
  ODOMETER_RETURN_IF_ERROR(CheckRange("close_deadline_ms", options.close_deadline_ms, 1, 10 * kMinuteMs));
  ODOMETER_RETURN_IF_ERROR(CheckRange("refusal_cache_ms", options.refusal_cache_ms, 1, kMinuteMs));
  ODOMETER_RETURN_IF_ERROR(CheckRange("workers", options.workers, 1, 16));
  return CheckRange("keys_max", options.keys_max, 1, INT32_MAX);
}

}  // namespace

Result<std::unique_ptr<LeaseClient>> LeaseClient::Open(LeaseOptions options) {
  ODOMETER_RETURN_IF_ERROR(Check(options));
  if (options.clock == nullptr) options.clock = &HostClock();
  if (!options.transport) {
    options.transport = [server = options.server, tenant = options.tenant] {
      return std::make_unique<HttpLeaseTransport>(server, tenant);
    };
  }
  return std::unique_ptr<LeaseClient>(new LeaseClient(std::make_unique<LeaseKeeper>(std::move(options))));
}

LeaseClient::LeaseClient(std::unique_ptr<LeaseKeeper> keeper) : keeper_(std::move(keeper)) {}
LeaseClient::~LeaseClient() = default;

Result<Lease> LeaseClient::For(const LeaseSubject& subject, Meter meter, int64_t slice) {
  return keeper_->Find(subject, meter, slice);
}

LeaseAnswer LeaseClient::Spend(const LeaseSubject& subject, Meter meter, int64_t amount) {
  Result<Lease> lease = keeper_->Find(subject, meter, 0);
  return lease.ok() ? lease->Spend(amount) : keeper_->Invalid();
}

LeaseCounters LeaseClient::counters() const { return keeper_->counters(); }
std::string LeaseClient::last_error() const { return keeper_->last_error(); }
Status LeaseClient::Close() { return keeper_->Close(); }

}  // namespace odometer
