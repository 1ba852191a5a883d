#include "base/signing.h"

#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/digest.h"
#include "base/scratch_directory.h"

namespace spillway {
namespace {

using testing::HasSubstr;

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::array<uint8_t, 32> KeyFromHex(std::string_view hex) {
  std::array<uint8_t, 32> key;
  std::ranges::copy(FromHex(hex), key.begin());
  return key;
}

/// The signature inside the line that Sign writes, in hexadecimal.
std::string SignatureIn(const std::string& line) {
  const std::string base64 = line.substr(line.rfind(' ') + 1, 88);
  std::array<uint8_t, 66> bytes;
  EXPECT_EQ(EVP_DecodeBlock(bytes.data(), reinterpret_cast<const uint8_t*>(base64.data()), 88), 66);
  return ToHex(std::span(bytes).first(64));
}

// RFC 8032, 7.1, tests 1 to 3.
struct Vector {
  std::string_view seed, key, message, signature;
};
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46bd25bf5f0595"
     "bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c387b2eaeb43"
     "02aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6594a7c15e9716"
     "ed28dc027beceea1ec40a"}};

TEST(Signing, MatchesThePublishedVectors) {
  for (const Vector& vector : kVectors) {
    const SigningKey key(KeyFromHex(vector.seed));
    const std::string message = FromHex(vector.message);
    const std::string line = key.Sign(message);
    EXPECT_EQ(SignatureIn(line), vector.signature);
    const VerifyingKey public_key(KeyFromHex(vector.key));
    EXPECT_EQ(key.verifying_key().ToPem(), public_key.ToPem());
    EXPECT_TRUE(public_key.Verify(message, line));
    EXPECT_FALSE(public_key.Verify(message + "x", line));
  }
}

TEST(Signing, TheLineNamesItsKey) {
  const SigningKey key(KeyFromHex(kVectors[0].seed));
  const std::string id = key.verifying_key().id();
  EXPECT_EQ(id, ToHex(Sha256Of(FromHex(kVectors[0].key))).substr(0, 16));
  const std::string line = key.Sign("manifest");
  EXPECT_TRUE(line.starts_with("ed25519 " + id + " "));
  EXPECT_EQ(line.size(), 8 + 16 + 1 + 88 + 1u);
  EXPECT_EQ(line.back(), '\n');
}

TEST(Signing, RefusesEverythingButTheLineItself) {
  const SigningKey key(KeyFromHex(kVectors[0].seed));
  const VerifyingKey public_key = key.verifying_key();
  const std::string line = key.Sign("manifest");
  EXPECT_TRUE(public_key.Verify("manifest", line));
  for (size_t i = 0; i < line.size(); ++i) {
    std::string altered = line;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(public_key.Verify("manifest", altered)) << i;
    EXPECT_FALSE(public_key.Verify("manifest", line.substr(0, i))) << i;
  }
  EXPECT_FALSE(public_key.Verify("manifest", line + "\n"));
  EXPECT_FALSE(public_key.Verify("manifest", line + line));
  EXPECT_FALSE(public_key.Verify("Manifest", line));
  EXPECT_FALSE(VerifyingKey(KeyFromHex(kVectors[1].key)).Verify("manifest", line));
}

std::string PrivatePem(EVP_PKEY* key, std::string passphrase) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PrivateKey(bio.get(), key, passphrase.empty() ? nullptr : EVP_aes_256_cbc(),
                           nullptr, 0, nullptr, passphrase.data());
  std::string text(BIO_ctrl_pending(bio.get()), '\0');
  BIO_read(bio.get(), text.data(), static_cast<int>(text.size()));
  return text;
}

class KeyFileTest : public testing::Test {
 protected:
  std::filesystem::path Write(const std::string& text) {
    std::ofstream(scratch_ / "given.pem") << text;
    return scratch_ / "given.pem";
  }

  ScratchDirectory scratch_;
};

TEST_F(KeyFileTest, GeneratesAFileForItsOwnerOnlyAndReadsItBack) {
  const auto path = scratch_ / "key.pem";
  const auto made = SigningKey::Generate(path);
  ASSERT_TRUE(made) << made.error().message;
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  const auto loaded = SigningKey::Load(path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->Sign("x"), made->Sign("x"));
  const auto from_private = VerifyingKey::Load(path);
  ASSERT_TRUE(from_private) << from_private.error().message;
  EXPECT_TRUE(from_private->Verify("x", made->Sign("x")));
  const auto from_public = VerifyingKey::Load(Write(made->verifying_key().ToPem()));
  ASSERT_TRUE(from_public) << from_public.error().message;
  EXPECT_EQ(from_public->id(), made->verifying_key().id());
  EXPECT_NE(SigningKey::Generate(scratch_ / "other.pem")->Sign("x"), made->Sign("x"));
}

TEST_F(KeyFileTest, APublicKeyStandsBesideThePrivateOne) {
  const auto made = SigningKey::Generate(scratch_ / "key.pem");
  ASSERT_TRUE(made) << made.error().message;
  const auto beside = VerifyingKey::Load(scratch_ / "key.pub.pem");
  ASSERT_TRUE(beside) << beside.error().message;
  EXPECT_EQ(beside->id(), made->verifying_key().id());
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(scratch_ / "")) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("key.pem", "key.pub.pem"));
}

TEST_F(KeyFileTest, ThoseWhoMakeAKeyAtATimeGetTheSame) {
  const auto path = scratch_ / "key.pem";
  std::vector<std::string> signatures(8);
  {
    std::vector<std::jthread> threads;
    for (std::string& signature : signatures) {
      threads.emplace_back([&] {
        const auto key = SigningKey::LoadOrGenerate(path);
        signature = key ? key->Sign("x") : key.error().message;
      });
    }
  }
  EXPECT_THAT(signatures, testing::Each(SigningKey::Load(path)->Sign("x")));
}

TEST(SignerOf, IsTheKeyThatASignatureNames) {
  const SigningKey key(KeyFromHex(kVectors[0].seed));
  const std::string signature = key.Sign("manifest");
  EXPECT_EQ(SignerOf(signature), key.verifying_key().id());
  for (const std::string& other :
       {std::string(), std::string("ed25519 "), signature.substr(1), signature + "x",
        signature.substr(0, 30), "ed25519 XYZ" + signature.substr(11)}) {
    EXPECT_EQ(SignerOf(other), "") << other;
  }
}

TEST_F(KeyFileTest, NeverReplacesAKey) {
  const auto path = scratch_ / "key.pem";
  const auto first = SigningKey::Generate(path);
  ASSERT_TRUE(first);
  const auto second = SigningKey::Generate(path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(second.error().message, HasSubstr(path.string()));
  EXPECT_EQ(SigningKey::Load(path)->Sign("x"), first->Sign("x"));
}

// As `openssl genpkey` and `openssl pkey -pubout` write RFC 8032's first key.
TEST_F(KeyFileTest, ReadsWhatOtherProgramsWrite) {
  const auto key = SigningKey::Load(
      Write("-----BEGIN PRIVATE "
            "KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
            "-----END PRIVATE KEY-----\n"));
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(SignatureIn(key->Sign("")), kVectors[0].signature);
  EXPECT_EQ(
      key->verifying_key().ToPem(),
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
      "-----END PUBLIC KEY-----\n");
}

TEST_F(KeyFileTest, SaysWhatIsWrongWithAFile) {
  const auto missing = SigningKey::Load(scratch_ / "none.pem");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("none.pem"));

  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> ed25519(
      EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> p256(
      EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), EVP_PKEY_free);
  const std::string only_public = SigningKey(KeyFromHex(kVectors[0].seed)).verifying_key().ToPem();
  for (const std::string& text :
       {PrivatePem(p256.get(), ""), PrivatePem(ed25519.get(), "passphrase"), only_public,
        std::string(), std::string("x")}) {
    const auto path = Write(text);
    const auto key = SigningKey::Load(path);
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(key.error().message, HasSubstr(path.string()));
    EXPECT_EQ(key.error().message.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(VerifyingKey::Load(Write("not a key")));
  EXPECT_FALSE(VerifyingKey::Load(Write(PrivatePem(p256.get(), ""))));
}

}  // namespace
}  // namespace spillway
