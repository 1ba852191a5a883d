#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"

namespace spillway::postgres {

/// What has to be known of an address before libpq gets it.
struct Address {
  /// As written; what is empty is libpq's to choose.
  struct Host {
    std::string name;
    std::string ip;  ///< Its hostaddr.
    std::string port;
  };

  std::vector<Host> hosts;                  ///< In order; none: the environment's.
  std::chrono::seconds connect_timeout{0};  ///< For each host; zero: the address does not say.
};

/// Reads what libpq takes: a URL, or keywords and values. kInvalidArgument for one that does not
/// read, and for a URL that reads otherwise than meant because its password is not
/// percent-encoded: libpq takes the password's rest for a host or a port, and prints it.
Result<Address> ParseAddress(const std::string& address);

}  // namespace spillway::postgres
