#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/scratch_directory.h"

namespace spillway::storage::s3 {

/// An S3 server for tests: Versity's gateway on a free port of loopback, over a scratch directory.
/// It is that of setup/go_tool.sh versitygw, and goes with the object.
class VersityGateway {
 public:
  static constexpr char kAccessKey[] = "gateway";
  static constexpr char kSecretKey[] = "gateway-secret";

  explicit VersityGateway(const std::vector<std::string>& options = {});
  ~VersityGateway();
  VersityGateway(const VersityGateway&) = delete;
  VersityGateway& operator=(const VersityGateway&) = delete;

  std::string url() const { return scheme_ + "://127.0.0.1:" + std::to_string(port_); }

  /// Makes a bucket and returns its name.
  std::string NewBucket();

 private:
  ScratchDirectory folder_;
  std::string scheme_ = "http";
  int port_ = 0;
  int buckets_ = 0;
  pid_t child_ = -1;
};

}  // namespace spillway::storage::s3
