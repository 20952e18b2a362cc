// The document that the build put into openapi_yaml.inc as one raw string literal; see CMakeLists.txt beside.
#include "consumers/http/routes.h"

namespace odometer {
namespace {

#if __has_include("consumers/http/openapi_yaml.inc")
constexpr std::string_view kDocument =
#include "consumers/http/openapi_yaml.inc"
    ;
#else
constexpr std::string_view kDocument;
#endif

}  // namespace

Result<HttpResponse> Api::GetOpenApi(const Call&) {
  if (kDocument.empty()) return Status(Code::kNotFound, "this build does not carry its document");
  return HttpResponse{200, "application/yaml", std::string(kDocument), {}};
}

}  // namespace odometer
