#include "storage/s3/versity_gateway.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include <netinet/in.h>

namespace spillway::storage::s3 {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int FreePort() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  const bool bound = bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(probe);
  return bound ? ntohs(address.sin_port) : 0;
}

bool Answers(int port) {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  const bool connected =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(probe);
  return connected;
}

[[noreturn]] void Execute(const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments)
    pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  execv(pointers[0], pointers.data());
  _exit(127);
}

}  // namespace

VersityGateway::VersityGateway(const std::vector<std::string>& options) : port_(FreePort()) {
  const std::string data = folder_ / "data";
  const std::string attributes = folder_ / "attributes";
  std::filesystem::create_directory(data);
  std::filesystem::create_directory(attributes);
  std::vector<std::string> arguments = {SPILLWAY_VERSITYGW,
                                        "--access",
                                        kAccessKey,
                                        "--secret",
                                        kSecretKey,
                                        "--port",
                                        "127.0.0.1:" + std::to_string(port_),
                                        "--keep-alive",
                                        "--quiet"};
  for (const std::string& option : options) {
    if (option == "--cert") scheme_ = "https";
    arguments.push_back(option);
  }
  // Metadata goes into files of its own: not every file system has extended attributes.
  for (const std::string& argument :
       {std::string("posix"), std::string("--sidecar"), attributes, data})
    arguments.push_back(argument);
  const std::string log = folder_ / "log";
  child_ = fork();
  if (child_ == 0) Execute(arguments, log);
  while (!Answers(port_)) {
    if (waitpid(child_, nullptr, WNOHANG) != 0) {
      child_ = -1;
      throw std::runtime_error(std::string("cannot start ") + SPILLWAY_VERSITYGW +
                               ": run setup/go_tool.sh versitygw");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

VersityGateway::~VersityGateway() {
  if (child_ < 0) return;
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

std::string VersityGateway::NewBucket() {
  const std::string name = "bucket-" + std::to_string(++buckets_);
  std::filesystem::create_directory(folder_ / ("data/" + name));
  return name;
}

}  // namespace spillway::storage::s3
