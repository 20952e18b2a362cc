// producer/http_lease_transport.h: HttpLeaseTransport, a LeaseTransport over the daemon's HTTP API, on one kept
// connection.
#pragma once

#include <string>

#include "odometer/lease_transport.h"

namespace odometer {

// Confined to one thread. Never follows a redirect, takes no proxy for a loopback address, reads at most 1 MiB of an
// answer.
class HttpLeaseTransport : public LeaseTransport {
 public:
  HttpLeaseTransport(std::string server, std::string tenant);
  ~HttpLeaseTransport() override;
  HttpLeaseTransport(const HttpLeaseTransport&) = delete;
  HttpLeaseTransport& operator=(const HttpLeaseTransport&) = delete;

  Result<LeaseVerdict> Ask(const LeaseAsk& ask, int64_t timeout_ms) override;
  Result<LeaseReceipt> Settle(const LeaseReport& report, int64_t timeout_ms) override;

 private:
  struct Response {
    int status = 0;
    std::string body;
  };
  Result<Response> Post(const std::string& path, const std::string& body, int64_t timeout_ms);

  std::string server_;
  void* curl_;     // CURL*
  void* headers_;  // curl_slist*
};

}  // namespace odometer
