#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace spillway::postgres {

/// Stands before a server on loopback and cuts a connection at a chosen message of its client,
/// once. For tests of what becomes of a statement whose connection is lost.
class CuttingProxy {
 public:
  enum class Cut {
    kBefore,  ///< The server does not see the message.
    kAfter,   ///< The server acts on it, and its answer is lost.
  };

  explicit CuttingProxy(int server_port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  int port() const { return port_; }

  /// Cuts at the message with this number, counted from 1 over all connections from now on.
  void CutAt(int64_t message, Cut cut);
  /// Whether that message has come.
  bool has_cut() const { return seen_ >= cut_at_; }

 private:
  void Accept();
  void Serve(int client);

  const int server_port_;
  int port_ = 0;
  int listener_ = -1;
  std::atomic<int64_t> seen_ = 0;
  std::atomic<int64_t> cut_at_ = INT64_MAX;
  std::atomic<Cut> cut_ = Cut::kBefore;
  std::atomic<bool> closing_ = false;
  std::mutex mutex_;
  std::vector<std::jthread> connections_;  // guarded by mutex_
  std::jthread accepting_;
};

}  // namespace spillway::postgres
