#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace spillway::http {

/// A request as the scripted server saw it.
struct SeenRequest {
  std::string method;
  std::string target;
  std::string head;  ///< The lines of the headers, names in lower case.
  std::string body;

  /// The value of a header (name in lower case), empty where there is none.
  std::string Header(const std::string& name) const;
};

/// What the server does with a request.
struct Answer {
  int status = 200;
  std::string headers = {};  ///< Whole lines, each with its CRLF.
  std::string body = {};
  /// The connection is cut when this many bytes of the body are sent; -1 for none, -2 for an answer
  /// that never comes and -3 for a cut before the answer.
  int cut_after = -1;
};

/// An HTTP/1.1 server on loopback for tests, which answers as it is told. One thread a connection.
class ScriptedServer {
 public:
  using Script = std::function<Answer(const SeenRequest&)>;

  explicit ScriptedServer(Script script);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<SeenRequest> seen();
  int connections() const { return connections_; }

 private:
  void Accept(std::stop_token stop);
  void Serve(int socket, std::stop_token stop);

  Script script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;
  std::vector<SeenRequest> seen_;
  std::vector<std::jthread> threads_;
  std::jthread accepting_;
};

}  // namespace spillway::http
