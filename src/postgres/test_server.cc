#include "postgres/test_server.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>
#include <grp.h>
#include <netinet/in.h>

#include "postgres/connection.h"

namespace spillway::postgres {
namespace {

int FreePort() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(probe);
  return bound ? ntohs(address.sin_port) : 0;
}

std::filesystem::path Programs() {
  std::vector<std::filesystem::path> versions;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
    if (std::filesystem::exists(entry.path() / "bin/initdb")) versions.push_back(entry.path());
  }
  if (versions.empty()) throw std::runtime_error("no PostgreSQL: run setup/install.sh test");
  return *std::max_element(versions.begin(), versions.end()) / "bin";
}

/// PostgreSQL refuses to run as root.
void BecomePostgres() {
  if (geteuid() != 0) return;
  const passwd* user = getpwnam("postgres");
  if (user == nullptr || setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 ||
      setuid(user->pw_uid) != 0)
    _exit(126);
}

void GiveToPostgres(const std::filesystem::path& path) {
  if (geteuid() != 0) return;
  const passwd* user = getpwnam("postgres");
  if (user == nullptr || chown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
    throw std::runtime_error("cannot give " + path.string() + " to the user postgres");
}

pid_t Spawn(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments)
    pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  BecomePostgres();
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  execv(pointers[0], pointers.data());
  _exit(127);
}

std::string TextOf(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A fresh data directory, made once a process and encoding; it is copied.
const std::filesystem::path& Template(const std::string& encoding) {
  static const ScratchDirectory kFolder;
  static std::map<std::string, std::filesystem::path> made;
  const auto found = made.find(encoding);
  if (found != made.end()) return found->second;
  GiveToPostgres(kFolder.path());
  const std::filesystem::path data = kFolder / encoding;
  const std::filesystem::path password = kFolder / "password";
  const std::filesystem::path log = kFolder / "log";
  std::ofstream(password) << TestServer::kPassword << '\n';
  const pid_t child =
      Spawn({Programs() / "initdb", "--pgdata", data, "--username", TestServer::kUser, "--pwfile",
             password, "--encoding", encoding, "--locale", "C", "--auth", "scram-sha-256",
             "--no-sync", "--no-instructions"},
            log);
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0)
    throw std::runtime_error("initdb: " + TextOf(log));
  return made.emplace(encoding, data).first->second;
}

}  // namespace

TestServer::TestServer(const Options& options) : port_(FreePort()) {
  GiveToPostgres(folder_.path());
  const std::filesystem::path data = folder_ / "data";
  const pid_t copy = Spawn({"/bin/cp", "-a", Template(options.encoding), data}, folder_ / "log");
  int status = 0;
  if (waitpid(copy, &status, 0) != copy || status != 0)
    throw std::runtime_error("cannot copy a data directory: " + TextOf(folder_ / "log"));
  std::ofstream settings(data / "postgresql.conf", std::ios::app);
  settings << fmt::format(
      "\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n"
      "fsync = {}\nfull_page_writes = {}\nshared_buffers = 32MB\nlog_min_messages = fatal\n",
      port_, folder_.path(), options.fsync, options.fsync);
  for (const std::string& line : options.settings) settings << line << '\n';
  std::ofstream(data / "pg_hba.conf") << fmt::format(
      "local all all trust\nhost all all 127.0.0.1/32 {0}\n"
      "host replication all 127.0.0.1/32 {0}\n",
      options.authentication);
  settings.close();
  Start();
}

TestServer::~TestServer() { Stop(); }

std::string TestServer::Url(const std::string& database, const std::string& user) const {
  return fmt::format("postgres://{}@127.0.0.1:{}/{}", user, port_, database);
}

std::string TestServer::SocketAddress(const std::string& database) const {
  return fmt::format("host={} port={} user={} dbname={}", folder_.path(), port_, kUser, database);
}

std::string TestServer::NewDatabase() {
  const std::string name = fmt::format("test_{}", ++databases_);
  Result<std::unique_ptr<Connection>> connection = Connection::Open(SocketAddress());
  if (!connection.has_value()) throw std::runtime_error(connection.error().message);
  // Copied from a template in the log: no checkpoint, which would take most of the time.
  const auto made = (*connection)->Execute("CREATE DATABASE " + name + " STRATEGY wal_log");
  if (!made.has_value()) throw std::runtime_error(made.error().message);
  return name;
}

void TestServer::Start() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (true) {
    if (child_ < 0)
      child_ = Spawn({Programs() / "postgres", "-D", folder_ / "data"}, folder_ / "log");
    if (Connection::Open(SocketAddress()).has_value()) return;
    // The sessions of a killed server notice it only after a while. Until then no server can start.
    if (waitpid(child_, nullptr, WNOHANG) == child_) child_ = -1;
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("PostgreSQL does not start: " + TextOf(folder_ / "log"));
    std::this_thread::sleep_for(std::chrono::milliseconds(child_ < 0 ? 100 : 10));
  }
}

void TestServer::Stop() { Signal(SIGQUIT); }

void TestServer::Kill() { Signal(SIGKILL); }

void TestServer::Signal(int signal) {
  if (child_ < 0) return;
  kill(child_, signal);
  waitpid(child_, nullptr, 0);
  child_ = -1;
}

TestPooler::TestPooler(const TestServer& server) : port_(FreePort()) {
  GiveToPostgres(folder_.path());
  std::ofstream(folder_ / "users") << '"' << TestServer::kUser << "\" \"\"\n";
  std::ofstream(folder_ / "pgbouncer.ini") << fmt::format(
      "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
      "listen_port = {}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n"
      "pool_mode = transaction\ndefault_pool_size = 5\n",
      server.port(), port_, (folder_ / "users").string());
  child_ = Spawn({"/usr/sbin/pgbouncer", "-q", folder_ / "pgbouncer.ini"}, folder_ / "log");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!Connection::Open(Url()).has_value()) {
    if (waitpid(child_, nullptr, WNOHANG) == child_ || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("PgBouncer does not start: " + TextOf(folder_ / "log"));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

TestPooler::~TestPooler() {
  kill(child_, SIGKILL);
  waitpid(child_, nullptr, 0);
}

std::string TestPooler::Url(const std::string& database) const {
  return fmt::format("postgres://{}@127.0.0.1:{}/{}", TestServer::kUser, port_, database);
}

}  // namespace spillway::postgres
