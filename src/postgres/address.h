#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.h"

namespace spillway::postgres {

/// The parts of an address that have to be known before libpq gets it.
struct Address {
  /// As written; empty where libpq chooses.
  struct Host {
    std::string name;
    std::string ip;  ///< Its hostaddr.
    std::string port;
  };

  std::vector<Host> hosts;                  ///< In order; none: the environment's.
  std::chrono::seconds connect_timeout{0};  ///< For each host; zero: the address does not say.
};

/// Parses what libpq takes: a URL, or keywords and values. kInvalidArgument for an address that
/// cannot be parsed, and for a URL whose password is not percent-encoded: libpq would take a part
/// of the password for a host or a port, and print it.
Result<Address> ParseAddress(const std::string& address);

}  // namespace spillway::postgres
