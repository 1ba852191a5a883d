// A manifest comes from wherever an export was delivered to. Any bytes may be given: they are
// refused in one line, or read back as the same manifest.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "manifest/manifest.h"

namespace {

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "manifest_fuzzer: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using spillway::engine::ManifestFromJson;
  const auto manifest = ManifestFromJson({reinterpret_cast<const char*>(data), size});
  if (!manifest.has_value()) {
    Require(manifest.error().code == spillway::ErrorCode::kCorrupt, "refused with another code");
    return 0;
  }
  Require(manifest->counts.Reconciled(), "accepted what does not reconcile");
  const std::string written = ToJson(*manifest);
  const auto again = ManifestFromJson(written);
  Require(again.has_value(), "refused what it had accepted");
  Require(ToJson(*again) == written, "did not read back the same");
  return 0;
}
