#include "storage/local/local_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <thread>

#include "base/random.h"
#include "base/scratch_directory.h"
#include "storage/conformance.h"

namespace spillway::storage {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

StoreOpener MakePlace() {
  // The closure owns the directory, and std::function wants it copyable.
  return [directory = std::make_shared<ScratchDirectory>()] {
    return LocalStore::OpenOrCreate(directory->path()).value();
  };
}

const StoreUnderTest kLocal = {.name = "local", .make_place = MakePlace};
INSTANTIATE_TEST_SUITE_P(Local, ObjectStoreConformance, testing::Values(kLocal));
INSTANTIATE_TEST_SUITE_P(Local, ObjectStoreStageConformance, testing::Values(kLocal));

constexpr std::string_view kStageKey = ".spillway/jobs/j1/stage-1";

Bytes BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

class LocalStoreTest : public testing::Test {
 protected:
  static Result<ObjectRange> Append(Stage& stage, std::string_view text) {
    const Bytes piece = BytesOf(text);
    return stage.Append({&piece, 1}, {});
  }

  Result<ObjectInfo> Put(std::string_view key, std::string_view text) {
    auto writer = store_->Create(key, Overwrite::kAllowed);
    if (!writer) return std::unexpected(writer.error());
    if (auto written = (*writer)->Write(BytesOf(text)); !written)
      return std::unexpected(written.error());
    return (*writer)->Finish();
  }

  std::string FileText(const std::string& path) {
    std::ifstream file(scratch_ / path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  /// Every file and directory below the root.
  std::set<std::string> Tree() {
    std::set<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(scratch_.path())) {
      paths.insert(fs::relative(entry.path(), scratch_.path()).string());
    }
    return paths;
  }

  ino_t InodeOf(const std::string& path) {
    struct stat status = {};
    EXPECT_EQ(stat((scratch_ / path).c_str(), &status), 0) << path;
    return status.st_ino;
  }

  ScratchDirectory scratch_;
  std::unique_ptr<LocalStore> store_ = LocalStore::OpenOrCreate(scratch_.path()).value();
};

TEST_F(LocalStoreTest, OpenWantsADirectoryAndOpenOrCreateMakesIt) {
  const std::string missing = (scratch_ / "not/there").string();
  const auto refused = LocalStore::OpenExisting(missing);
  EXPECT_THAT(refused, FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(refused.error().message, HasSubstr(missing));
  EXPECT_TRUE(LocalStore::OpenOrCreate(missing));
  EXPECT_TRUE(LocalStore::OpenExisting(missing));
  std::ofstream(scratch_ / "file") << "x";
  const auto file = LocalStore::OpenOrCreate((scratch_ / "file").string());
  EXPECT_THAT(file, FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(file.error().message,
              AllOf(HasSubstr("/file: "), HasSubstr("; a part of this path is a file")));
  for (const char* path : {"file", "file/below"}) {
    EXPECT_THAT(LocalStore::OpenOrCreate((scratch_ / path).string()),
                FailsWith(ErrorCode::kInvalidArgument));
    EXPECT_THAT(LocalStore::OpenExisting((scratch_ / path).string()),
                FailsWith(ErrorCode::kInvalidArgument));
  }
}

TEST_F(LocalStoreTest, ObjectsAreFilesAndNothingElseIsLeft) {
  ASSERT_TRUE(Put("a/b/c.csv", "1"));
  ASSERT_TRUE(Put("d.csv", "2"));
  EXPECT_EQ(FileText("a/b/c.csv"), "1");
  EXPECT_THAT(Tree(), ElementsAre("a", "a/b", "a/b/c.csv", "d.csv"));
  ASSERT_TRUE(store_->Remove("a/b/c.csv"));
  EXPECT_THAT(Tree(), ElementsAre("d.csv"));
}

TEST_F(LocalStoreTest, AFailedFinishLeavesNothing) {
  auto writer = store_->Create("a/b", Overwrite::kAllowed).value();
  fs::create_directories(scratch_ / "a/b/c");
  EXPECT_THAT(writer->Finish(), FailsWith(ErrorCode::kConflict));
  writer.reset();
  EXPECT_THAT(Tree(), ElementsAre("a", "a/b", "a/b/c"));
}

TEST_F(LocalStoreTest, TheUnfinishedStandUnderSpillwayTmp) {
  auto writer = store_->Create("a", Overwrite::kAllowed).value();
  const auto tree = Tree();
  ASSERT_EQ(tree.size(), 3u);
  EXPECT_TRUE(tree.rbegin()->starts_with(".spillway/tmp/" + std::to_string(getpid()) + "-"));
  EXPECT_THAT(store_->Create(".spillway/tmp/x", Overwrite::kAllowed),
              FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(store_->CreateStage(".spillway/tmp/x", {}), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(store_->CreateStage("stage", {}), FailsWith(ErrorCode::kInvalidArgument));
}

TEST_F(LocalStoreTest, OpeningRemovesWhatKilledProcessesLeft) {
  const pid_t child = fork();
  if (child == 0) {
    auto writer = store_->Create("a", Overwrite::kAllowed);
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  auto mine = store_->Create("b", Overwrite::kAllowed).value();
  ASSERT_EQ(Tree().size(), 4u);
  const auto other = LocalStore::OpenExisting(scratch_.path()).value();
  EXPECT_EQ(Tree().size(), 3u) << "the living one's stays";
  ASSERT_TRUE(mine->Finish());
  mine.reset();
  EXPECT_THAT(Tree(), ElementsAre("b"));
}

TEST_F(LocalStoreTest, ASweepRemovesWhatKilledProcessesLeftSinceItWasOpened) {
  const pid_t child = fork();
  if (child == 0) {
    auto writer = store_->Create("a", Overwrite::kAllowed);
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  auto mine = store_->Create("b", Overwrite::kAllowed).value();
  EXPECT_EQ(store_->SweepAbandoned(std::chrono::hours(24), Sweep::kCount).value(), 1U);
  EXPECT_EQ(Tree().size(), 4U) << "it was only counted";
  EXPECT_EQ(store_->SweepAbandoned(std::chrono::hours(24), Sweep::kRemoveOwn).value(), 1U);
  EXPECT_EQ(Tree().size(), 3U) << "the living one's stays";
  ASSERT_TRUE(mine->Finish());
}

TEST_F(LocalStoreTest, AWholeStageIsMovedNotCopied) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  const auto one = Append(*stage, "one").value();
  const auto two = Append(*stage, "two").value();
  Append(*stage, "of a failed attempt").value();
  const ino_t inode = InodeOf(std::string(kStageKey));
  ASSERT_TRUE(store_->Compose("out/a.csv", std::vector<ObjectRange>{one, two}, {}));
  EXPECT_EQ(InodeOf("out/a.csv"), inode);
  EXPECT_EQ(FileText("out/a.csv"), "onetwo");
  EXPECT_THAT(Append(*stage, "late"), FailsWith(ErrorCode::kConflict));
  EXPECT_THAT(Tree(), ElementsAre("out", "out/a.csv"));
}

TEST_F(LocalStoreTest, AppendsOfAnySizeFollowOneAnother) {
  Random random(42);
  auto stage = store_->CreateStage(kStageKey, {}).value();
  std::string whole;
  std::vector<ObjectRange> ranges;
  for (const size_t bytes :
       {1u, 4095u, 4096u, 4097u, 0u, 100u, (1u << 20) - 7, 1u << 20, 3'000'001u, 5u}) {
    std::string text(bytes, ' ');
    for (char& letter : text) letter = static_cast<char>('a' + random.Below(26));
    ranges.push_back(Append(*stage, text).value());
    whole += text;
  }
  ASSERT_TRUE(store_->Compose("a.csv", ranges, {}));
  EXPECT_EQ(FileText("a.csv"), whole);
}

TEST_F(LocalStoreTest, TheStageOfAKilledProcessIsMovedWithoutItsPadding) {
  const pid_t child = fork();
  if (child == 0) {
    auto stage = store_->CreateStage(kStageKey, {}).value();
    Append(*stage, "one").value();
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(
      store_->Compose("a.csv", std::vector<ObjectRange>{{std::string(kStageKey), 0, 3}}, {}));
  EXPECT_EQ(FileText("a.csv"), "one");
}

TEST_F(LocalStoreTest, TheStageOfAProcessThatEndedIsMoved) {
  const auto range = Append(*store_->CreateStage(kStageKey, {}).value(), "one").value();
  const ino_t inode = InodeOf(std::string(kStageKey));
  const auto other = LocalStore::OpenExisting(scratch_.path()).value();
  ASSERT_TRUE(other->Compose("a.csv", std::vector<ObjectRange>{range}, {}));
  EXPECT_EQ(InodeOf("a.csv"), inode);
}

TEST_F(LocalStoreTest, TheStageOfALivingProcessIsCopied) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  const auto range = Append(*stage, "one").value();
  const ino_t inode = InodeOf(std::string(kStageKey));
  const auto other = LocalStore::OpenExisting(scratch_.path()).value();
  ASSERT_TRUE(other->Compose("a.csv", std::vector<ObjectRange>{range}, {}));
  EXPECT_NE(InodeOf("a.csv"), inode);
  EXPECT_EQ(FileText("a.csv"), "one");
  EXPECT_TRUE(Append(*stage, "late"));
  EXPECT_EQ(FileText("a.csv"), "one");
}

TEST_F(LocalStoreTest, APublishedObjectIsNeverConsumed) {
  ASSERT_TRUE(Put("a.csv", "one"));
  ASSERT_TRUE(store_->Compose("b.csv", std::vector<ObjectRange>{{"a.csv", 0, 3}}, {}));
  EXPECT_EQ(FileText("a.csv"), "one");
  EXPECT_EQ(FileText("b.csv"), "one");
}

TEST_F(LocalStoreTest, ComposersOfOneStageAgree) {
  for (int round = 0; round < 20; ++round) {
    std::vector<ObjectRange> ranges;
    {
      auto stage = store_->CreateStage(kStageKey, {}).value();
      for (int i = 0; i < 100; ++i) ranges.push_back(Append(*stage, std::to_string(i)).value());
    }
    const auto other = LocalStore::OpenExisting(scratch_.path()).value();
    std::vector<std::string> outcomes(4);
    {
      std::vector<std::jthread> threads;
      for (size_t i = 0; i < outcomes.size(); ++i) {
        threads.emplace_back([&, i] {
          const auto composed = (i % 2 == 0 ? *store_ : *other).Compose("a.csv", ranges, {});
          outcomes[i] = composed ? "" : composed.error().message;
        });
      }
    }
    for (const std::string& outcome : outcomes) EXPECT_EQ(outcome, "");
    EXPECT_EQ(FileText("a.csv").size(), 190u);
    ASSERT_TRUE(store_->Remove("a.csv"));
    EXPECT_THAT(Tree(), IsEmpty());
  }
}

TEST_F(LocalStoreTest, AStageThatWasCutShortIsNotPublished) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  const auto range = Append(*stage, "onetwo").value();
  fs::resize_file(scratch_ / std::string(kStageKey), 3);
  const auto composed = store_->Compose("a.csv", std::vector<ObjectRange>{range}, {});
  EXPECT_THAT(composed, FailsWith(ErrorCode::kCorrupt));
  EXPECT_THAT(composed.error().message,
              AllOf(HasSubstr(kStageKey), HasSubstr("holds 3 bytes, but bytes up to 6")));
  EXPECT_FALSE(fs::exists(scratch_ / "a.csv"));
}

TEST_F(LocalStoreTest, AnObjectCutShortWhileReadIsCorrupt) {
  ASSERT_TRUE(Put("a", "0123456789"));
  auto reader = store_->Open("a", {}).value();
  fs::resize_file(scratch_ / "a", 4);
  std::string text(10, '\0');
  EXPECT_THAT(reader->ReadAt(0, std::as_writable_bytes(std::span(text))),
              FailsWith(ErrorCode::kCorrupt));
}

TEST_F(LocalStoreTest, SymbolicLinksLeadNowhere) {
  const ScratchDirectory outside;
  std::ofstream(outside / "secret") << "secret";
  fs::create_symlink(outside.path(), scratch_ / "folder");
  fs::create_symlink(outside / "secret", scratch_ / "file");
  fs::create_symlink("/nowhere", scratch_ / "dangling");
  for (const std::string key : {"folder/secret", "folder/new", "folder/sub/new"}) {
    EXPECT_THAT(Put(key, "x"), FailsWith(ErrorCode::kPermissionDenied)) << key;
    EXPECT_THAT(store_->Open(key, {}), FailsWith(ErrorCode::kPermissionDenied)) << key;
    EXPECT_THAT(store_->Head(key), FailsWith(ErrorCode::kPermissionDenied)) << key;
    EXPECT_THAT(store_->Remove(key), FailsWith(ErrorCode::kPermissionDenied)) << key;
    EXPECT_THAT(store_->Compose(key, {}, {}), FailsWith(ErrorCode::kPermissionDenied)) << key;
  }
  for (const std::string key : {"file", "dangling"}) {
    EXPECT_THAT(store_->Open(key, {}), FailsWith(ErrorCode::kPermissionDenied)) << key;
    EXPECT_THAT(store_->Head(key), FailsWith(ErrorCode::kPermissionDenied)) << key;
    EXPECT_THAT(store_->Remove(key), FailsWith(ErrorCode::kPermissionDenied)) << key;
  }
  EXPECT_THAT(store_->List("folder/", "", 10), FailsWith(ErrorCode::kPermissionDenied));
  EXPECT_THAT(store_->List("", "", 10).value(), IsEmpty());
  EXPECT_THAT(store_->Open("file", {}).error().message,
              HasSubstr("symbolic links inside a store are not followed"));

  // An overwritten link is replaced, not written through.
  ASSERT_TRUE(Put("file", "mine"));
  EXPECT_FALSE(fs::is_symlink(scratch_ / "file"));
  std::ifstream secret(outside / "secret");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(secret), {}), "secret");
  EXPECT_EQ(std::distance(fs::directory_iterator(outside.path()), {}), 1);
}

TEST_F(LocalStoreTest, TheRootMayBeALink) {
  const ScratchDirectory other;
  fs::create_symlink(scratch_.path(), other / "root");
  auto store = LocalStore::OpenOrCreate((other / "root").string());
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE(Put("a", "1"));
  EXPECT_EQ(store.value()->Head("a").value()->bytes, 1u);
}

TEST_F(LocalStoreTest, OnlyRegularFilesAreObjects) {
  ASSERT_EQ(mkfifo((scratch_ / "fifo").c_str(), 0600), 0);
  fs::create_directory(scratch_ / "folder");
  std::ofstream(scratch_ / "two\nlines") << "x";
  std::ofstream(scratch_ / "real") << "x";
  for (const std::string key : {"fifo", "folder"}) {
    EXPECT_EQ(store_->Head(key).value(), std::nullopt);
    EXPECT_THAT(store_->Open(key, {}), FailsWith(ErrorCode::kNotFound));
    EXPECT_EQ(store_->Remove(key).value(), 0u);
  }
  const auto listed = store_->List("", "", 10).value();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].key, "real");
  EXPECT_EQ(listed[0].bytes, 1u);
}

TEST_F(LocalStoreTest, AFileInAFoldersPlaceIsNamed) {
  ASSERT_TRUE(Put("a", "1"));
  const auto below = Put("a/b", "2");
  ASSERT_FALSE(below);
  EXPECT_THAT(below.error().message,
              AllOf(HasSubstr("cannot write " + scratch_.path() + "/a/b: Not a directory"),
                    HasSubstr("a part of this path is a file: move it away")));
  ASSERT_TRUE(Put("c/d", "3"));
  const auto folder = Put("c", "4");
  EXPECT_THAT(folder, FailsWith(ErrorCode::kConflict));
  EXPECT_THAT(folder.error().message, HasSubstr("a directory has this name"));
  EXPECT_EQ(store_->Head("a/b").value(), std::nullopt);
  EXPECT_THAT(Tree(), ElementsAre("a", "c", "c/d"));
}

/// Runs with no file allowed to grow beyond `bytes`, as a disk of that size would.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_;
};

TEST_F(LocalStoreTest, WithoutSpaceNothingIsPublished) {
  auto writer = store_->Create("a.csv", Overwrite::kAllowed).value();
  ASSERT_TRUE(writer->Write(BytesOf(std::string(1000, 'x'))));
  {
    const FileSizeLimit limit(4096);
    const auto written = writer->Write(BytesOf(std::string(10'000, 'y')));
    EXPECT_THAT(written, FailsWith(ErrorCode::kOutOfSpace));
    EXPECT_THAT(written.error().message, HasSubstr("cannot write " + scratch_.path() +
                                                   "/a.csv: File too large; raise the limit"));
  }
  EXPECT_THAT(writer->Finish(), FailsWith(ErrorCode::kOutOfSpace));
  writer.reset();
  EXPECT_THAT(Tree(), IsEmpty());
}

TEST_F(LocalStoreTest, AnAppendWithoutSpaceLeavesTheStageAsItWas) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  const auto one = Append(*stage, "one").value();
  {
    const FileSizeLimit limit(4096);
    EXPECT_THAT(Append(*stage, std::string(10'000, 'y')), FailsWith(ErrorCode::kOutOfSpace));
  }
  const auto two = Append(*stage, "two").value();
  EXPECT_EQ(two.offset, 3u);
  ASSERT_TRUE(store_->Compose("a.csv", std::vector<ObjectRange>{one, two}, {}));
  EXPECT_EQ(FileText("a.csv"), "onetwo");
}

TEST_F(LocalStoreTest, ACopyWithoutSpaceLeavesTheSources) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  Append(*stage, "skipped").value();
  const auto range = Append(*stage, std::string(100'000, 'x')).value();
  {
    const FileSizeLimit limit(4096);
    EXPECT_THAT(store_->Compose("a.csv", std::vector<ObjectRange>{range}, {}),
                FailsWith(ErrorCode::kOutOfSpace));
  }
  EXPECT_FALSE(fs::exists(scratch_ / "a.csv"));
  ASSERT_TRUE(store_->Compose("a.csv", std::vector<ObjectRange>{range}, {}));
  EXPECT_EQ(FileText("a.csv").size(), 100'000u);
}

TEST_F(LocalStoreTest, AnUnwritableDirectoryIsNamed) {
  if (geteuid() == 0) {
    // Root may write anywhere; a child process that gave up root may not.
    fs::permissions(scratch_.path(),
                    fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
    const pid_t child = fork();
    if (child == 0) {
      const bool dropped = setresuid(65534, 65534, 65534) == 0;
      const auto put = Put("a.csv", "x");
      const bool told = !put && put.error().code == ErrorCode::kPermissionDenied &&
                        put.error().message.contains(scratch_.path()) &&
                        put.error().message.contains("give this user access");
      _exit(dropped && told ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  } else {
    fs::permissions(scratch_.path(), fs::perms::owner_read | fs::perms::owner_exec);
    const auto put = Put("a.csv", "x");
    fs::permissions(scratch_.path(), fs::perms::owner_all);
    EXPECT_THAT(put, FailsWith(ErrorCode::kPermissionDenied));
    EXPECT_THAT(put.error().message,
                AllOf(HasSubstr(scratch_.path()), HasSubstr("give this user access")));
  }
  EXPECT_THAT(Tree(), IsEmpty());
}

TEST_F(LocalStoreTest, ListsARandomTreeAsASortedSetWould) {
  std::mt19937 random(7);
  std::set<std::string> keys;
  const std::vector<std::string> parts = {"a", "b", "a-", "a.", "a0", "ab", "-", "é", "zz"};
  while (keys.size() < 150) {
    std::string key;
    const size_t depth = 1 + random() % 4;
    for (size_t i = 0; i < depth; ++i) key += parts[random() % parts.size()] + "/";
    key += std::to_string(random() % 10);
    if (keys.insert(key).second) {
      fs::create_directories((scratch_ / key).parent_path());
      std::ofstream(scratch_ / key);
    }
  }
  for (int round = 0; round < 300; ++round) {
    const auto any = [&] {
      return std::next(keys.begin(), static_cast<ptrdiff_t>(random() % keys.size()))
          ->substr(0, random() % 9);
    };
    const std::string prefix = round % 4 == 0 ? "" : any();
    const std::string after = round % 3 == 0 ? "" : any();
    const size_t limit = 1 + random() % 60;
    std::vector<std::string> expected;
    for (const std::string& key : keys) {
      if (key.starts_with(prefix) && key > after && expected.size() < limit)
        expected.push_back(key);
    }
    std::vector<std::string> got;
    const auto listed = store_->List(prefix, after, limit);
    ASSERT_TRUE(listed) << listed.error().message;
    for (const ObjectInfo& info : *listed) got.push_back(info.key);
    EXPECT_EQ(got, expected) << "prefix '" << prefix << "' after '" << after << "' limit " << limit;
  }
}

}  // namespace
}  // namespace spillway::storage
