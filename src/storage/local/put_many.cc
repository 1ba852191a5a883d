#include "storage/local/put_many.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "storage/key.h"
#include "storage/local/path_error.h"
#include "storage/local/temporary_file.h"

namespace spillway::storage {
namespace {

/// The number of files in a group. Each is open until it is in place.
constexpr size_t kGroup = 256;
/// For this many files or fewer, a sync of each is cheaper than one of the whole file system.
constexpr size_t kFew = 4;

Result<TemporaryFile> Write(const DirectoryTree& tree, const NewObject& object) {
  TRY(ValidateKey(object.key));
  TemporaryFile file = TRY(TemporaryFile::Create(tree, object.key));
  TRY(file.file().Append({&object.bytes, 1}));
  return file;
}

/// Replaces every success by `error`.
void FailAll(std::span<Result<ObjectInfo>> answers, const Error& error) {
  for (Result<ObjectInfo>& answer : answers) {
    if (answer.has_value()) answer = std::unexpected(error);
  }
}

void PutGroup(const DirectoryTree& tree, std::span<const NewObject> objects,
              std::vector<Result<ObjectInfo>>& answers) {
  std::vector<Result<TemporaryFile>> files;
  files.reserve(objects.size());
  for (const NewObject& object : objects) files.push_back(Write(tree, object));

  const auto root = tree.OpenDirectory("", Missing::kFail);
  const bool at_once = objects.size() > kFew;
  std::optional<Error> lost;
  if (at_once && (!root || syncfs(root->get()) != 0)) {
    lost = PathError(root ? errno : root.error(), "sync", tree.Show(""));
  }
  const Durably durably = at_once ? Durably::kLater : Durably::kNow;
  const size_t first = answers.size();
  for (size_t i = 0; i < objects.size(); ++i) {
    if (lost.has_value()) {
      answers.emplace_back(std::unexpected(*lost));
    } else if (!files[i].has_value()) {
      answers.emplace_back(std::unexpected(files[i].error()));
    } else {
      answers.push_back(files[i]->Publish(objects[i].key, Overwrite::kAllowed, durably));
    }
  }
  if (at_once) tree.Prune(kTemporaryPrefix);
  if (at_once && !lost.has_value() && syncfs(root->get()) != 0) {
    FailAll(std::span(answers).subspan(first), PathError(errno, "sync", tree.Show("")));
  }
}

}  // namespace

std::vector<Result<ObjectInfo>> PutManyFiles(const DirectoryTree& tree,
                                             std::span<const NewObject> objects) {
  std::vector<Result<ObjectInfo>> answers;
  answers.reserve(objects.size());
  while (!objects.empty()) {
    const size_t group = std::min(objects.size(), kGroup);
    PutGroup(tree, objects.first(group), answers);
    objects = objects.subspan(group);
  }
  if (const auto in_place = tree.CheckInPlace(); !in_place) FailAll(answers, in_place.error());
  return answers;
}

}  // namespace spillway::storage
