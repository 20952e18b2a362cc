// consumers/webhook_letter.h: what a webhook's request says, and what signs it, as the Standard Webhooks specification
// has it.
#pragma once

#include <cstdint>
#include <string>

#include "consumers/alerts.h"

namespace odometer {

// The body of a request, and what signs it.
std::string WebhookBody(uint32_t partition, const Alert& alert);
// "v1,BASE64" of HMAC-SHA256 over id.timestamp.body; secret: "whsec_" and base64, or the bytes themselves.
std::string WebhookSignature(const std::string& secret, const std::string& id, int64_t timestamp_s,
                             const std::string& body);
// Whether a secret is one that can sign.
bool HasSigningKey(const std::string& secret);

}  // namespace odometer
