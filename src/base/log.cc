#include "base/log.h"

#include <unistd.h>

#include <cerrno>
#include <mutex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/control_characters.h"

namespace spillway {
namespace {

std::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string ToJson(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string JsonLine(std::string_view time, LogLevel level, std::string_view message,
                     Log::Fields fields) {
  nlohmann::ordered_json line = {{"time", time}, {"level", NameOf(level)}, {"message", message}};
  for (const LogField& field : fields) {
    std::visit([&](auto value) { line[std::string(field.name)] = value; }, field.value);
  }
  return ToJson(line);
}

bool IsWord(std::string_view text) {
  return !text.empty() && text.find_first_of(" \"=\\") == std::string_view::npos &&
         EscapeControlCharacters(text) == text;
}

/// On one line, whatever it holds: ends of lines, tabs and quotes as JSON writes them.
std::string OneLine(std::string_view text) {
  const std::string quoted = ToJson(text);
  return quoted.substr(1, quoted.size() - 2);
}

std::string TextLine(std::string_view time, LogLevel level, std::string_view message,
                     Log::Fields fields) {
  std::string line = fmt::format("{} {:<7} {}", time, NameOf(level), OneLine(message));
  for (const LogField& field : fields) {
    line.append(" ").append(field.name).append("=");
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
      line += IsWord(*text) ? std::string(*text) : ToJson(*text);
    } else {
      std::visit([&](auto value) { line += ToJson(value); }, field.value);
    }
  }
  return line;
}

}  // namespace

struct Log::Sink {
  const LogLevel least;
  const LogFormat format;
  const int descriptor;
  SystemClock clock;
  std::mutex mutex;
};

Log::Log(LogLevel least, LogFormat format, int descriptor)
    : sink_(std::make_unique<Sink>(least, format, descriptor)) {}
Log::~Log() = default;

void Log::Write(LogLevel level, std::string_view message, Fields fields) {
  if (level < sink_->least) return;
  const std::string time = FormatTimestamp(sink_->clock.Now());
  const std::string line = EscapeControlCharacters(sink_->format == LogFormat::kJson
                                                       ? JsonLine(time, level, message, fields)
                                                       : TextLine(time, level, message, fields)) +
                           "\n";
  std::lock_guard lock(sink_->mutex);
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = write(sink_->descriptor, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    // A failure to write the log cannot be reported anywhere.
    if (written <= 0) return;
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace spillway
