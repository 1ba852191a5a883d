#include "http/scripted_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <stdexcept>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace spillway::http {
namespace {

constexpr int kLookMilliseconds = 20;

bool AwaitInput(int socket, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waiting{.fd = socket, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, kLookMilliseconds) > 0) return true;
  }
  return false;
}

/// Appends what has come; false at the end of the connection.
bool Receive(int socket, std::string& input, const std::stop_token& stop) {
  if (!AwaitInput(socket, stop)) return false;
  char block[65536];
  const ssize_t got = recv(socket, block, sizeof block, 0);
  if (got <= 0) return false;
  input.append(block, static_cast<size_t>(got));
  return true;
}

void SendAll(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    text.remove_prefix(static_cast<size_t>(sent));
  }
}

SeenRequest ParseHead(std::string_view head) {
  SeenRequest request;
  const size_t first = head.find(' ');
  const size_t second = head.find(' ', first + 1);
  request.method = head.substr(0, first);
  request.target = head.substr(first + 1, second - first - 1);
  for (size_t begin = head.find("\r\n") + 2; begin < head.size();) {
    const size_t end = std::min(head.find("\r\n", begin), head.size());
    std::string line(head.substr(begin, end - begin));
    const size_t colon = std::min(line.find(':'), line.size());
    std::transform(line.begin(), line.begin() + static_cast<ptrdiff_t>(colon), line.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    request.head += line + "\r\n";
    begin = end + 2;
  }
  return request;
}

}  // namespace

std::string SeenRequest::Header(const std::string& name) const {
  const size_t at = ("\r\n" + head).find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const size_t begin = at + name.size() + 2;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

ScriptedServer::ScriptedServer(Script script) : script_(std::move(script)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no listening socket");
  }
  port_ = ntohs(address.sin_port);
  accepting_ = std::jthread([this](std::stop_token stop) { Accept(std::move(stop)); });
}

ScriptedServer::~ScriptedServer() {
  accepting_.request_stop();
  accepting_.join();
  threads_.clear();
  close(listener_);
}

std::vector<SeenRequest> ScriptedServer::seen() {
  std::lock_guard lock(mutex_);
  return seen_;
}

void ScriptedServer::Accept(std::stop_token stop) {
  while (AwaitInput(listener_, stop)) {
    const int accepted = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) continue;
    ++connections_;
    threads_.emplace_back(
        [this, accepted](std::stop_token own) { Serve(accepted, std::move(own)); });
  }
}

void ScriptedServer::Serve(int socket, std::stop_token stop) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::string input;
  while (true) {
    size_t end = input.find("\r\n\r\n");
    while (end == std::string::npos && Receive(socket, input, stop)) end = input.find("\r\n\r\n");
    if (end == std::string::npos) break;
    SeenRequest request = ParseHead(std::string_view(input).substr(0, end));
    const std::string length = request.Header("content-length");
    const size_t bytes = length.empty() ? 0 : std::stoul(length);
    input.erase(0, end + 4);
    while (input.size() < bytes && Receive(socket, input, stop)) {
    }
    request.body = input.substr(0, bytes);
    input.erase(0, bytes);
    {
      std::lock_guard lock(mutex_);
      seen_.push_back(request);
    }
    const Answer answer = script_(request);
    if (answer.cut_after == -3) break;
    if (answer.cut_after == -2) {
      std::string ignored;
      while (Receive(socket, ignored, stop)) {
      }
      break;
    }
    std::string reply = "HTTP/1.1 " + std::to_string(answer.status) + " X\r\n" + answer.headers;
    if (!answer.headers.contains("Content-Length"))
      reply += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
    reply += "\r\n";
    if (request.method != "HEAD")
      reply += answer.cut_after < 0 ? answer.body
                                    : answer.body.substr(0, static_cast<size_t>(answer.cut_after));
    SendAll(socket, reply);
    if (answer.cut_after >= 0) break;
  }
  close(socket);
}

}  // namespace spillway::http
