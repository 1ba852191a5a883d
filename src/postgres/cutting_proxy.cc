#include "postgres/cutting_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include <netinet/in.h>

namespace spillway::postgres {
namespace {

constexpr int kLookMilliseconds = 20;  // how often to check whether the proxy is to end

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool SendAll(int socket, const char* data, ssize_t size) {
  while (size > 0) {
    const ssize_t sent = send(socket, data, static_cast<size_t>(size), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data += sent;
    size -= sent;
  }
  return true;
}

}  // namespace

CuttingProxy::CuttingProxy(int server_port)
    : server_port_(server_port), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no port for a proxy");
  port_ = ntohs(address.sin_port);
  accepting_ = std::jthread([this] { Accept(); });
}

CuttingProxy::~CuttingProxy() {
  closing_ = true;
  accepting_.join();
  connections_.clear();
  close(listener_);
}

void CuttingProxy::CutAt(int64_t message, Cut cut) {
  seen_ = 0;
  cut_ = cut;
  cut_at_ = message;
}

void CuttingProxy::Accept() {
  while (!closing_) {
    pollfd waiting{listener_, POLLIN, 0};
    if (poll(&waiting, 1, kLookMilliseconds) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    std::lock_guard lock(mutex_);
    connections_.emplace_back([this, client] { Serve(client); });
  }
}

void CuttingProxy::Serve(int client) {
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(server_port_);
  bool open = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  std::array<char, 65536> data;
  bool deaf = false;  // the answer to the message that was cut is dropped
  while (open && !closing_) {
    std::array<pollfd, 2> ends = {pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
    if (poll(ends.data(), ends.size(), kLookMilliseconds) <= 0) continue;
    if (ends[1].revents != 0) {
      const ssize_t size = recv(server, data.data(), data.size(), 0);
      if (size <= 0 || deaf || !SendAll(client, data.data(), size)) break;
    }
    if (ends[0].revents != 0) {
      const ssize_t size = recv(client, data.data(), data.size(), 0);
      if (size <= 0) break;
      const bool cut = ++seen_ == cut_at_;
      if (cut && cut_ == Cut::kBefore) break;
      open = SendAll(server, data.data(), size);
      deaf = cut;
    }
  }
  close(client);
  close(server);
}

}  // namespace spillway::postgres
