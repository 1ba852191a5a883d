#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "envelope/sample_bytes.h"
#include "envelope/zip/zip.h"

namespace spillway::envelope {

inline constexpr Timestamp kModified = std::chrono::sys_days(std::chrono::year(2025) / 1 / 31) +
                                       std::chrono::hours(23) + std::chrono::seconds(59 * 60 + 58);

/// An archive in a temporary folder, and what foreign programs say of it.
class ZipArchive : public ::testing::Test {
 protected:
  ZipArchive() {
    std::string pattern = (std::filesystem::temp_directory_path() / "spillway_zip_XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ / "archive.zip";
  }
  ~ZipArchive() override { std::filesystem::remove_all(directory_); }

  void Write(std::string_view bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  std::string Run(const std::string& command) {
    std::string printed;
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    char room[4096];
    while (size_t bytes = fread(room, 1, sizeof(room), pipe)) printed.append(room, bytes);
    const int status = pclose(pipe);
    return status == 0 ? printed : "exit " + std::to_string(status) + ": " + printed;
  }

  std::string Python(const std::string& program) {
    const auto script = directory_ / "program.py";
    std::ofstream(script) << "import sys, zipfile, zlib\nz = zipfile.ZipFile(sys.argv[1])\n"
                          << program;
    return Run("python3 " + script.string() + " " + path_.string());
  }

  std::string Unzip() { return Run("unzip -tqq " + path_.string()); }

  std::filesystem::path directory_;
  std::filesystem::path path_;
};

struct Built {
  std::string bytes;
  ZipEntry entry;
};

/// A member appended in pieces, drained after each when `drain` is set.
inline Built Build(const std::string& name, std::string_view text, int level, size_t piece,
                   bool drain) {
  auto member = *NewZipMember(name, kModified, level);
  Built built;
  for (size_t at = 0; at < text.size(); at += piece) {
    EXPECT_TRUE(member->Append(AsBytes(text.substr(at, piece))).has_value());
    if (drain) {
      built.bytes += member->pending().view();
      member->Drain();
    }
  }
  built.entry = *member->Finish();
  built.bytes += member->pending().view();
  EXPECT_EQ(built.entry.stored_bytes, built.bytes.size());
  return built;
}

inline std::string Join(const std::vector<Built>& members) {
  std::string archive;
  std::vector<ZipEntry> entries;
  for (const Built& member : members) {
    archive += member.bytes;
    entries.push_back(member.entry);
  }
  Buffer directory;
  EXPECT_TRUE(AppendZipDirectory(entries, kModified, directory).has_value());
  return archive.append(directory.view());
}

}  // namespace spillway::envelope
