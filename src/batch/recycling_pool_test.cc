#include "batch/recycling_pool.h"

#include <cstring>
#include <random>
#include <thread>

#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <gtest/gtest.h>

namespace spillway::batch {
namespace {

TEST(RecyclingPoolTest, HandsOutAgainWhatWasFreed) {
  RecyclingPool pool(1 << 20);
  uint8_t* first = nullptr;
  ASSERT_TRUE(pool.Allocate(100'000, &first).ok());
  pool.Free(first, 100'000);
  EXPECT_GE(pool.idle_bytes(), 100'000);
  uint8_t* second = nullptr;
  ASSERT_TRUE(pool.Allocate(101'000, &second).ok());
  EXPECT_EQ(first, second);
  EXPECT_EQ(pool.idle_bytes(), 0);
  pool.Free(second, 101'000);
}

TEST(RecyclingPoolTest, KeepsNoMoreThanItMay) {
  arrow::ProxyMemoryPool source(arrow::default_memory_pool());
  RecyclingPool pool(50'000, source);
  uint8_t* blocks[2];
  for (uint8_t*& block : blocks) ASSERT_TRUE(pool.Allocate(40'960, &block).ok());
  EXPECT_EQ(pool.bytes_allocated(), 81'920);
  for (uint8_t* block : blocks) pool.Free(block, 40'960);
  EXPECT_EQ(pool.bytes_allocated(), 0);
  EXPECT_EQ(pool.max_memory(), 81'920);
  EXPECT_EQ(pool.idle_bytes(), 40'960);
  EXPECT_EQ(source.bytes_allocated(), 40'960);
  pool.ReleaseUnused();
  EXPECT_EQ(source.bytes_allocated(), 0);
}

TEST(RecyclingPoolTest, GivesEverythingBack) {
  arrow::ProxyMemoryPool source(arrow::default_memory_pool());
  {
    RecyclingPool pool(1 << 30, source);
    std::vector<std::jthread> threads;
    for (int seed = 0; seed < 4; ++seed) {
      threads.emplace_back([&pool, seed] {
        std::mt19937 random(seed);
        for (int i = 0; i < 300; ++i) {
          // Grows and shrinks across the size below which nothing is kept.
          auto buffer = *arrow::AllocateResizableBuffer(random() % 20'000, &pool);
          for (int step = 0; step < 4; ++step) {
            const int64_t before = buffer->size();
            std::memset(buffer->mutable_data(), seed + 1, before);
            ASSERT_TRUE(buffer->Resize(random() % 60'000).ok());
            for (int64_t at = 0; at < std::min(before, buffer->size()); ++at) {
              ASSERT_EQ(buffer->data()[at], seed + 1);
            }
          }
        }
      });
    }
    threads.clear();
    EXPECT_EQ(pool.bytes_allocated(), 0);
    EXPECT_EQ(source.bytes_allocated(), pool.idle_bytes());
  }
  EXPECT_EQ(source.bytes_allocated(), 0);
}

}  // namespace
}  // namespace spillway::batch
