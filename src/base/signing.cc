#include "base/signing.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "base/digest.h"
#include "base/directory_sync.h"

namespace spillway {
namespace {

constexpr size_t kSignatureBytes = 64;

template <auto kFree>
struct Freer {
  void operator()(auto* object) const { kFree(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using KeyBytes = std::array<uint8_t, 32>;

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

Key FromSeed(const KeyBytes& seed) {
  return Key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
}

std::string Base64(std::span<const uint8_t> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  text.resize(static_cast<size_t>(EVP_EncodeBlock(reinterpret_cast<uint8_t*>(text.data()),
                                                  bytes.data(), static_cast<int>(bytes.size()))));
  return text;
}

constexpr std::string_view kAlgorithm = "ed25519 ";
constexpr size_t kIdDigits = 16;

/// The signature in exactly the text that Sign writes.
std::optional<std::array<uint8_t, kSignatureBytes>> Parse(std::string_view line,
                                                          std::string_view key_id) {
  const std::string begin = fmt::format("{}{} ", kAlgorithm, key_id);
  if (!line.starts_with(begin) || !line.ends_with('\n')) return std::nullopt;
  const std::string_view base64 = line.substr(begin.size(), line.size() - begin.size() - 1);
  if (base64.size() != (kSignatureBytes + 2) / 3 * 4) return std::nullopt;
  std::vector<uint8_t> decoded(base64.size());
  if (EVP_DecodeBlock(decoded.data(), Bytes(base64), static_cast<int>(base64.size())) < 0)
    return std::nullopt;
  std::array<uint8_t, kSignatureBytes> signature;
  std::copy_n(decoded.begin(), kSignatureBytes, signature.begin());
  if (Base64(signature) != base64) return std::nullopt;
  return signature;
}

std::string ContentsOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

/// Never asks on the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

Result<Bio> OpenKeyFile(const std::filesystem::path& path) {
  Bio bio(BIO_new_file(path.c_str(), "r"));
  if (bio == nullptr)
    return std::unexpected(FromErrno(errno, "cannot read the key " + path.string()));
  return bio;
}

std::unexpected<Error> NoRandomness() {
  return Fail(ErrorCode::kUnavailable, "the system has no randomness for a key now; try again");
}

std::unexpected<Error> NoKey(const std::filesystem::path& path, std::string_view what) {
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format(
          "{} holds no Ed25519 {} key in PEM without a passphrase; `openssl genpkey -algorithm "
          "ed25519` makes one, `openssl pkey -pubout` its public key",
          path.string(), what));
}

Key ReadPrivate(BIO* bio) {
  return Key(PEM_read_bio_PrivateKey(bio, nullptr, NoPassphrase, nullptr));
}
Key ReadPublic(BIO* bio) { return Key(PEM_read_bio_PUBKEY(bio, nullptr, NoPassphrase, nullptr)); }

bool IsEd25519(const Key& key) {
  return key != nullptr && EVP_PKEY_id(key.get()) == EVP_PKEY_ED25519;
}

KeyBytes PublicBytes(const Key& key) {
  KeyBytes bytes;
  size_t size = bytes.size();
  EVP_PKEY_get_raw_public_key(key.get(), bytes.data(), &size);
  return bytes;
}

Result<> WriteAll(int file, std::string_view text, const std::string& what) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return std::unexpected(FromErrno(errno, what));
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(file) != 0) return std::unexpected(FromErrno(errno, what));
  return {};
}

/// Writes to a new file beside `path`, on the disk when this returns.
Result<> WriteNewFile(const std::filesystem::path& path, std::string_view text, mode_t mode,
                      const std::string& what) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (file < 0) return std::unexpected(FromErrno(errno, what));
  auto written = WriteAll(file, text, what);
  close(file);
  if (!written) unlink(path.c_str());
  return written;
}

Result<> SyncFolder(const std::filesystem::path& path, const std::string& what) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(FromErrno(errno, what));
  const int status = SyncDirectory(descriptor);
  const int error = errno;
  close(descriptor);
  if (status != 0) return std::unexpected(FromErrno(error, what));
  return {};
}

/// Writes the whole file or nothing; kAlreadyExists when there is one.
Result<> PublishFile(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  const std::string what = "cannot write the key " + path.string();
  std::array<uint8_t, 8> tag;
  if (RAND_bytes(tag.data(), static_cast<int>(tag.size())) != 1) return NoRandomness();
  std::filesystem::path temporary = path;
  temporary += fmt::format(".{:02x}", fmt::join(tag, ""));
  TRY(WriteNewFile(temporary, text, mode, what));
  const int status = link(temporary.c_str(), path.c_str());
  const int error = errno;
  unlink(temporary.c_str());
  if (status != 0) return std::unexpected(FromErrno(error, what));
  return SyncFolder(path, what);
}

}  // namespace

Result<VerifyingKey> VerifyingKey::Load(const std::filesystem::path& path) {
  const Bio bio = TRY(OpenKeyFile(path));
  Key key = ReadPublic(bio.get());
  if (key == nullptr && BIO_reset(bio.get()) == 0) key = ReadPrivate(bio.get());
  if (!IsEd25519(key)) return NoKey(path, "public");
  return VerifyingKey(PublicBytes(key));
}

std::string VerifyingKey::id() const {
  const std::string_view bytes(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
  return ToHex(Sha256Of(bytes)).substr(0, kIdDigits);
}

std::string VerifyingKey::ToPem() const {
  const Key key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_.data(), bytes_.size()));
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(bio.get(), key.get());
  return ContentsOf(bio.get());
}

bool VerifyingKey::Verify(std::string_view bytes, std::string_view signature) const {
  const auto raw = Parse(signature, id());
  if (!raw) return false;
  const Key key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_.data(), bytes_.size()));
  const Context context(EVP_MD_CTX_new());
  return EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), raw->data(), raw->size(), Bytes(bytes), bytes.size()) == 1;
}

Result<SigningKey> SigningKey::Generate(const std::filesystem::path& path) {
  KeyBytes seed;
  if (RAND_bytes(seed.data(), static_cast<int>(seed.size())) != 1) return NoRandomness();
  const Key key = FromSeed(seed);
  const Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  TRY(PublishFile(path, ContentsOf(bio.get()), 0600));
  SigningKey made(seed);
  // An existing public key belongs to another private key; recipients may still verify with it.
  const Result<> beside = PublishFile(PublicPath(path), made.verifying_key().ToPem(), 0644);
  if (!beside && beside.error().code != ErrorCode::kAlreadyExists)
    return std::unexpected(beside.error());
  return made;
}

Result<SigningKey> SigningKey::LoadOrGenerate(const std::filesystem::path& path) {
  Result<SigningKey> key = Load(path);
  if (key || key.error().code != ErrorCode::kNotFound) return key;
  key = Generate(path);
  if (!key && key.error().code == ErrorCode::kAlreadyExists) return Load(path);
  return key;
}

std::filesystem::path SigningKey::PublicPath(std::filesystem::path path) {
  return path.replace_extension(".pub.pem");
}

Result<SigningKey> SigningKey::Load(const std::filesystem::path& path) {
  const Bio bio = TRY(OpenKeyFile(path));
  const Key key = ReadPrivate(bio.get());
  if (!IsEd25519(key)) return NoKey(path, "private");
  KeyBytes seed;
  size_t size = seed.size();
  EVP_PKEY_get_raw_private_key(key.get(), seed.data(), &size);
  return SigningKey(seed);
}

VerifyingKey SigningKey::verifying_key() const {
  return VerifyingKey(PublicBytes(FromSeed(seed_)));
}

std::string SigningKey::Sign(std::string_view bytes) const {
  const Key key = FromSeed(seed_);
  const Context context(EVP_MD_CTX_new());
  std::array<uint8_t, kSignatureBytes> signature;
  size_t size = signature.size();
  EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get());
  EVP_DigestSign(context.get(), signature.data(), &size, Bytes(bytes), bytes.size());
  return fmt::format("{}{} {}\n", kAlgorithm, verifying_key().id(), Base64(signature));
}

std::string SignerOf(std::string_view signature) {
  if (!signature.starts_with(kAlgorithm)) return {};
  const std::string_view id = signature.substr(kAlgorithm.size(), kIdDigits);
  if (id.find_first_not_of("0123456789abcdef") != std::string_view::npos) return {};
  return Parse(signature, id).has_value() ? std::string(id) : std::string();
}

}  // namespace spillway
