#include "lake/ingest/ndjson_input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace spillway::lake {
namespace {

constexpr int kPollMilliseconds = 100;

Result<size_t> ReadSome(int descriptor, std::span<std::byte> into, const std::string& name) {
  while (true) {
    const ssize_t read = ::read(descriptor, into.data(), into.size());
    if (read >= 0) return static_cast<size_t>(read);
    if (errno != EINTR) return std::unexpected(FromErrno(errno, name));
  }
}

class FileInput final : public NdjsonInput {
 public:
  FileInput(int descriptor, std::string name, std::optional<uint64_t> bytes)
      : descriptor_(descriptor), name_(std::move(name)), bytes_(bytes) {}
  ~FileInput() override { ::close(descriptor_); }
  FileInput(const FileInput&) = delete;
  FileInput& operator=(const FileInput&) = delete;

  Result<size_t> Read(std::span<std::byte> into) override {
    return ReadSome(descriptor_, into, name_);
  }
  const std::string& name() const override { return name_; }
  std::optional<uint64_t> bytes() const override { return bytes_; }
  Result<std::unique_ptr<NdjsonInput>> Reopen() const override {
    if (!bytes_) return nullptr;
    return OpenNdjsonFile(name_);
  }

 private:
  const int descriptor_;
  const std::string name_;
  const std::optional<uint64_t> bytes_;  ///< Of regular files.
};

class StandardInput final : public NdjsonInput {
 public:
  explicit StandardInput(std::stop_token stop) : stop_(std::move(stop)) {}

  Result<size_t> Read(std::span<std::byte> into) override {
    pollfd waiting{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (::poll(&waiting, 1, kPollMilliseconds) == 0) {
      if (stop_.stop_requested()) return Fail(ErrorCode::kCancelled, "cancelled");
    }
    return ReadSome(STDIN_FILENO, into, name_);
  }
  const std::string& name() const override { return name_; }
  std::optional<uint64_t> bytes() const override { return std::nullopt; }
  Result<std::unique_ptr<NdjsonInput>> Reopen() const override { return nullptr; }

 private:
  const std::stop_token stop_;
  const std::string name_ = "standard input";
};

class MemoryInput final : public NdjsonInput {
 public:
  MemoryInput(std::string_view bytes, std::string name)
      : all_(bytes), rest_(bytes), name_(std::move(name)) {}

  Result<size_t> Read(std::span<std::byte> into) override {
    const size_t read = std::min(into.size(), rest_.size());
    std::memcpy(into.data(), rest_.data(), read);
    rest_.remove_prefix(read);
    return read;
  }
  const std::string& name() const override { return name_; }
  std::optional<uint64_t> bytes() const override { return all_.size(); }
  Result<std::unique_ptr<NdjsonInput>> Reopen() const override {
    return NdjsonFromMemory(all_, name_);
  }

 private:
  const std::string_view all_;
  std::string_view rest_;
  const std::string name_;
};

}  // namespace

Result<std::unique_ptr<NdjsonInput>> OpenNdjsonFile(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(FromErrno(errno, path));
  struct stat about = {};
  if (::fstat(descriptor, &about) != 0) {
    const int error = errno;
    ::close(descriptor);
    return std::unexpected(FromErrno(error, path));
  }
  if (S_ISDIR(about.st_mode)) {
    ::close(descriptor);
    return Fail(ErrorCode::kInvalidArgument, path + " is a directory: name the files in it");
  }
  std::optional<uint64_t> bytes;
  if (S_ISREG(about.st_mode)) {
    bytes = static_cast<uint64_t>(about.st_size);
    ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  return std::make_unique<FileInput>(descriptor, path, bytes);
}

std::unique_ptr<NdjsonInput> NdjsonFromStandardInput(std::stop_token stop) {
  return std::make_unique<StandardInput>(std::move(stop));
}

std::unique_ptr<NdjsonInput> NdjsonFromMemory(std::string_view bytes, std::string name) {
  return std::make_unique<MemoryInput>(bytes, std::move(name));
}

}  // namespace spillway::lake
