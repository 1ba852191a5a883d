#include "storage/stream/stream_store.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/scratch_directory.h"
#include "storage/conformance.h"
#include "storage/local/local_store.h"

namespace spillway::storage {
namespace {

constexpr std::string_view kStageKey = ".spillway/jobs/j1/stage-1";

Bytes BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

/// A pipe, the store that writes to it, and a directory for the rest.
class StreamStoreTest : public testing::Test {
 protected:
  StreamStoreTest() {
    std::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reader_ = FileDescriptor(ends[0]);
    writer_ = FileDescriptor(ends[1]);
    store_ = std::make_unique<StreamStore>(writer_.get(), rest_, stop_.get_token());
  }

  static Result<ObjectRange> Append(Stage& stage, std::string_view text) {
    const Bytes piece = BytesOf(text);
    return stage.Append({&piece, 1}, {});
  }

  /// What has arrived, once `bytes` have.
  std::string Read(size_t bytes) {
    std::string text(bytes, '\0');
    size_t filled = 0;
    while (filled < bytes) {
      const ssize_t got = read(reader_.get(), text.data() + filled, bytes - filled);
      if (got <= 0) break;
      filled += static_cast<size_t>(got);
    }
    text.resize(filled);
    return text;
  }

  ScratchDirectory scratch_;
  std::shared_ptr<ObjectStore> rest_ = LocalStore::OpenOrCreate(scratch_.path()).value();
  std::stop_source stop_;
  FileDescriptor reader_, writer_;
  std::unique_ptr<StreamStore> store_;
};

TEST_F(StreamStoreTest, WritesThroughInOrderAndPublishesWithoutMoving) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  const std::vector<Bytes> pieces = {BytesOf("one "), {}, BytesOf("two ")};
  const auto first = stage->Append(pieces, {}).value();
  EXPECT_EQ(first, (ObjectRange{std::string(kStageKey), 0, 8}));
  const auto second = Append(*stage, "three").value();
  EXPECT_EQ(second, (ObjectRange{std::string(kStageKey), 8, 5}));
  EXPECT_EQ(Read(13), "one two three");
  ASSERT_TRUE(store_->Sync(kStageKey));
  const std::vector<ObjectRange> ranges = {first, second};
  for (int again = 0; again < 2; ++again) {
    const auto info = store_->Compose("out.csv", ranges, {});
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->key, "out.csv");
    EXPECT_EQ(info->bytes, 13u);
  }
  EXPECT_EQ(rest_->Head("out.csv").value(), std::nullopt);
  EXPECT_TRUE(rest_->List("", "", 10)->empty());
}

TEST_F(StreamStoreTest, RefusesToCallAnythingElseTheFile) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  const auto first = Append(*stage, "one").value();
  const auto second = Append(*stage, "two").value();
  const ObjectRange foreign{"elsewhere", 0, 3};
  for (const std::vector<ObjectRange>& ranges :
       std::vector<std::vector<ObjectRange>>{{first},
                                             {second},
                                             {second, first},
                                             {first, second, second},
                                             {first, foreign, second},
                                             {}}) {
    EXPECT_THAT(store_->Compose("out.csv", ranges, {}), FailsWith(ErrorCode::kConflict));
  }
  EXPECT_TRUE(store_->Compose("out.csv", std::vector<ObjectRange>{first, second}, {}));
}

TEST_F(StreamStoreTest, AnEmptyStreamIsAnEmptyFile) {
  const auto info = store_->Compose("out.csv", {}, {});
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->bytes, 0u);
  EXPECT_EQ(rest_->Head("out.csv").value(), std::nullopt);
}

TEST_F(StreamStoreTest, HoldsOneFile) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  EXPECT_THAT(store_->CreateStage(kStageKey, {}), FailsWith(ErrorCode::kAlreadyExists));
  EXPECT_THAT(store_->CreateStage(".spillway/jobs/j1/stage-2", {}),
              FailsWith(ErrorCode::kConflict));
  EXPECT_THAT(store_->CreateStage("../x", {}), FailsWith(ErrorCode::kInvalidArgument));
}

TEST_F(StreamStoreTest, PassesMoreThanAPipeHolds) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  std::string text;
  for (int i = 0; i < 3'000'000; ++i) text += static_cast<char>(i * 31 + (i >> 8));
  Result<ObjectRange> range;
  {
    std::jthread writer([&] { range = Append(*stage, text); });
    EXPECT_TRUE(Read(text.size()) == text);
  }
  ASSERT_TRUE(range) << range.error().message;
  EXPECT_EQ(range->bytes, text.size());
}

TEST_F(StreamStoreTest, AReaderThatWentAwayCancels) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  const auto first = Append(*stage, "one").value();
  reader_ = FileDescriptor();
  EXPECT_THAT(Append(*stage, "two"), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(Append(*stage, "three"), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(store_->Sync(kStageKey), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(store_->Compose("out.csv", std::vector<ObjectRange>{first}, {}),
              FailsWith(ErrorCode::kCancelled));
}

TEST_F(StreamStoreTest, StopEndsTheWaitForAReaderThatTakesNothing) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  Result<ObjectRange> range;
  std::jthread writer([&] { range = Append(*stage, std::string(1 << 20, 'x')); });
  pollfd arrived{.fd = reader_.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&arrived, 1, -1), 1);
  stop_.request_stop();
  writer.join();
  EXPECT_THAT(range, FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(fcntl(writer_.get(), F_GETFL) & O_NONBLOCK, 0) << "others share this descriptor";
}

TEST_F(StreamStoreTest, AFullDiskIsToldAsSuch) {
  const FileDescriptor full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  StreamStore store(full.get(), rest_);
  auto stage = store.CreateStage(kStageKey, {}).value();
  const auto written = Append(*stage, "x");
  EXPECT_THAT(written, FailsWith(ErrorCode::kOutOfSpace));
  EXPECT_FALSE(written.error().retryable);
  EXPECT_THAT(written.error().message,
              testing::HasSubstr("cannot write to the output stream: No space left"));
}

TEST_F(StreamStoreTest, TheRestGoesToTheRest) {
  auto writer = store_->Create("manifest.json", Overwrite::kNever).value();
  ASSERT_TRUE(writer->Write(BytesOf("{}")));
  ASSERT_TRUE(writer->Finish());
  EXPECT_EQ(rest_->Head("manifest.json").value()->bytes, 2u);
  ASSERT_TRUE(store_->Compose("copy.json", std::vector<ObjectRange>{{"manifest.json", 0, 2}}, {}));
  EXPECT_EQ(rest_->Head("copy.json").value()->bytes, 2u);
  EXPECT_EQ(store_->traits().epoch, rest_->traits().epoch);
  EXPECT_THAT(store_->Sync(kStageKey), FailsWith(ErrorCode::kNotFound));
}

TEST_F(StreamStoreTest, TheRestMayBeReplaced) {
  auto stage = store_->CreateStage(kStageKey, {}).value();
  const auto first = Append(*stage, "one").value();
  const ScratchDirectory other;
  const std::shared_ptr<ObjectStore> replaced = LocalStore::OpenOrCreate(other.path()).value();
  store_->set_rest(replaced);
  auto writer = store_->Create("manifest.json", Overwrite::kNever).value();
  ASSERT_TRUE(writer->Finish());
  EXPECT_TRUE(replaced->Head("manifest.json")->has_value());
  EXPECT_FALSE(rest_->Head("manifest.json")->has_value());
  const auto second = Append(*stage, "two").value();
  EXPECT_TRUE(store_->Compose("out.csv", std::vector<ObjectRange>{first, second}, {}))
      << "the stream is the same";
}

StoreOpener MakePlace() {
  struct Place {
    ScratchDirectory scratch;
    FileDescriptor null{open("/dev/null", O_WRONLY | O_CLOEXEC)};
  };
  // The closure owns the place, and std::function wants it copyable.
  return [place = std::make_shared<Place>()] {
    return std::make_unique<StreamStore>(place->null.get(),
                                         LocalStore::OpenOrCreate(place->scratch.path()).value());
  };
}

INSTANTIATE_TEST_SUITE_P(Stream, ObjectStoreConformance,
                         testing::Values(StoreUnderTest{.name = "stream",
                                                        .make_place = MakePlace}));

}  // namespace
}  // namespace spillway::storage
