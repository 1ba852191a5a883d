// C2SP's vectors of age (CCTV), which setup/age_vectors.sh fetches: 67 of binary files with X25519 keys, whose stated
// result is ours, and 76 of what is not supported.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "age/sealed_file_fixture.h"
#include "base/digest.h"

namespace spillway::age {
namespace {

using ::testing::HasSubstr;

enum class Kind { kX25519, kArmor, kHybrid, kScrypt };

struct Vector {
  std::string name;
  Kind kind = Kind::kX25519;
  std::string expect;
  std::string payload;                  ///< SHA-256 of what is released, where it is stated.
  std::vector<std::string> identities;  ///< As text.
  std::string file;
};

std::string Inflated(std::string_view compressed) {
  for (size_t room = 1 << 20;; room *= 4) {
    std::string plain(room, '\0');
    uLongf size = plain.size();
    const int status =
        uncompress(reinterpret_cast<Bytef*>(plain.data()), &size,
                   reinterpret_cast<const Bytef*>(compressed.data()), compressed.size());
    if (status == Z_BUF_ERROR && room < 1 << 30) continue;
    EXPECT_EQ(status, Z_OK);
    plain.resize(size);
    return plain;
  }
}

Vector Read(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  Vector vector{.name = path.filename()};
  bool compressed = false, armored = false, passphrase = false;
  std::string_view rest = text;
  while (true) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    if (line.empty()) break;
    const std::string_view key = line.substr(0, line.find(": "));
    const std::string value(line.substr(key.size() + 2));
    if (key == "expect") {
      vector.expect = value;
    } else if (key == "payload") {
      vector.payload = value;
    } else if (key == "identity") {
      vector.identities.push_back(value);
    } else if (key == "passphrase") {
      passphrase = true;
    } else if (key == "armored") {
      armored = true;
    } else if (key == "compressed") {
      EXPECT_EQ(value, "zlib");
      compressed = true;
    } else {
      EXPECT_TRUE(key == "comment" || key == "file key") << vector.name << ": " << key;
    }
  }
  vector.file = compressed ? Inflated(rest) : std::string(rest);
  vector.kind = armored                             ? Kind::kArmor
                : passphrase                        ? Kind::kScrypt
                : vector.name.starts_with("hybrid") ? Kind::kHybrid
                                                    : Kind::kX25519;
  return vector;
}

class VectorsTest : public ::testing::Test {
 protected:
  static std::vector<Vector> All(Kind kind) {
    static const std::vector<Vector> all = [] {
      std::vector<Vector> read;
      for (const auto& entry : std::filesystem::directory_iterator(SPILLWAY_AGE_VECTORS))
        read.push_back(Read(entry.path()));
      std::ranges::sort(read, {}, &Vector::name);
      return read;
    }();
    EXPECT_EQ(all.size(), 143U);
    std::vector<Vector> chosen;
    std::ranges::copy_if(all, std::back_inserter(chosen),
                         [&](const Vector& vector) { return vector.kind == kind; });
    return chosen;
  }

  static std::vector<Identity> IdentitiesOf(const Vector& vector) {
    std::vector<Identity> identities;
    for (const std::string& text : vector.identities) {
      auto identity = Identity::Parse(text);
      EXPECT_TRUE(identity.has_value()) << identity.error().message;
      identities.push_back(*std::move(identity));
    }
    return identities;
  }
};

void ExpectStatedResult(const Vector& vector, const Opened& opened) {
  if (vector.expect == "success") {
    ASSERT_FALSE(opened.error.has_value()) << opened.error->message;
    return;
  }
  ASSERT_TRUE(opened.error.has_value());
  const Error& error = *opened.error;
  if (vector.expect == "no match") {
    EXPECT_EQ(error.code, ErrorCode::kPermissionDenied) << error.message;
    return;
  }
  const bool newer = vector.name == "version_unsupported";
  EXPECT_EQ(error.code, newer ? ErrorCode::kUnsupported : ErrorCode::kCorrupt) << error.message;
  const bool of_mac = error.message.find("its MAC is wrong") != std::string::npos;
  const bool of_header = error.message.find("header is broken") != std::string::npos || newer;
  const std::string found = of_mac      ? "HMAC failure"
                            : of_header ? "header failure"
                                        : "payload failure";
  EXPECT_EQ(found, vector.expect) << error.message;
}

TEST_F(VectorsTest, BinaryFilesWithX25519KeysGiveTheStatedResult) {
  const auto vectors = All(Kind::kX25519);
  EXPECT_EQ(vectors.size(), 67U);
  std::map<std::string, int> results;
  int hashes = 0;
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    ++results[vector.expect];
    const auto identities = IdentitiesOf(vector);
    for (size_t piece : {size_t{1} << 30, size_t{997}, kSealedSegmentBytes, size_t{100'000}}) {
      SCOPED_TRACE(piece);
      const Opened opened = Open(vector.file, identities, piece);
      ExpectStatedResult(vector, opened);
      if (vector.payload.empty()) {
        EXPECT_EQ(opened.released, "");
        continue;
      }
      ++hashes;
      EXPECT_EQ(ToHex(Sha256Of(opened.released)), vector.payload);
    }
  }
  EXPECT_EQ(results, (std::map<std::string, int>{{"success", 14},
                                                 {"header failure", 31},
                                                 {"payload failure", 18},
                                                 {"no match", 3},
                                                 {"HMAC failure", 1}}));
  EXPECT_EQ(hashes, 4 * 32);
}

// Who reads ranges looks at the last segment first, and so releases less of what is broken.
TEST_F(VectorsTest, RangesOfTheSameFilesAreOpenedOrRefusedInTheSameWay) {
  for (const Vector& vector : All(Kind::kX25519)) {
    SCOPED_TRACE(vector.name);
    const Opened opened = OpenByRange(vector.file, IdentitiesOf(vector));
    ExpectStatedResult(vector, opened);
    if (opened.error) {
      EXPECT_EQ(opened.released, "");
    } else {
      EXPECT_EQ(ToHex(Sha256Of(opened.released)), vector.payload);
    }
  }
}

const std::vector<Identity>& Anybody() {
  static const std::vector<Identity> anybody = {*Identity::Generate()};
  return anybody;
}

TEST_F(VectorsTest, ArmorIsRefusedByName) {
  const auto vectors = All(Kind::kArmor);
  EXPECT_EQ(vectors.size(), 33U);
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    const Opened opened = Open(vector.file, Anybody());
    ASSERT_TRUE(opened.error.has_value());
    EXPECT_EQ(opened.released, "");
    if (vector.name == "armor_garbage_leading") {  // It does not begin as armor does.
      EXPECT_EQ(opened.error->code, ErrorCode::kCorrupt);
      continue;
    }
    EXPECT_EQ(opened.error->code, ErrorCode::kUnsupported);
    EXPECT_THAT(opened.error->message, HasSubstr("armored"));
  }
}

TEST_F(VectorsTest, PassphrasesAreRefusedByName) {
  const auto vectors = All(Kind::kScrypt);
  EXPECT_EQ(vectors.size(), 25U);
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    const Opened opened = Open(vector.file, Anybody());
    ASSERT_TRUE(opened.error.has_value());
    EXPECT_EQ(opened.released, "");
    if (vector.name == "scrypt_uppercase") {  // A stanza of another type, and so of somebody else.
      EXPECT_EQ(opened.error->code, ErrorCode::kPermissionDenied);
      continue;
    }
    if (vector.name == "scrypt_not_canonical_body") {
      EXPECT_THAT(opened.error->message, HasSubstr("header is broken"));
      continue;
    }
    EXPECT_EQ(opened.error->code, ErrorCode::kUnsupported) << opened.error->message;
    EXPECT_THAT(opened.error->message, HasSubstr("scrypt"));
  }
}

TEST_F(VectorsTest, PostQuantumKeysAndFilesAreRefusedByName) {
  const auto vectors = All(Kind::kHybrid);
  EXPECT_EQ(vectors.size(), 18U);
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    const Opened opened = Open(vector.file, Anybody());
    ASSERT_TRUE(opened.error.has_value());
    EXPECT_EQ(opened.released, "");
    size_t refused = 0;
    for (const std::string& text : vector.identities) {
      const auto identity = Identity::Parse(text);
      if (!text.starts_with("AGE-SECRET-KEY-PQ-1")) continue;
      ++refused;
      ASSERT_FALSE(identity.has_value());
      EXPECT_EQ(identity.error().code, ErrorCode::kUnsupported);
      EXPECT_THAT(identity.error().message, HasSubstr("post-quantum"));
    }
    EXPECT_GE(refused, 1U);
    if (vector.name == "hybrid_x25519_arg") {  // The share of a hybrid key in an X25519 stanza.
      ExpectStatedResult(vector, opened);
      continue;
    }
    if (vector.name == "hybrid_uppercase") {
      EXPECT_EQ(opened.error->code, ErrorCode::kPermissionDenied);
    } else if (vector.name == "hybrid_not_canonical_body") {
      EXPECT_THAT(opened.error->message, HasSubstr("header is broken"));
    } else {
      EXPECT_EQ(opened.error->code, ErrorCode::kUnsupported) << opened.error->message;
      EXPECT_THAT(opened.error->message, HasSubstr("mlkem768x25519"));
    }
  }
}

}  // namespace
}  // namespace spillway::age
