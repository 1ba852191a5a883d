#include "store/postgres/text.h"

#include <random>

#include <gmock/gmock.h>

namespace spillway::store::postgres_state {
namespace {

TEST(StoredText, OrdinaryTextIsStoredAsItIs) {
  for (const std::string text : {"", "plain", "naïve 東京 \U0001F9EA\n\t\"'\\"}) {
    EXPECT_EQ(Storable(text), text);
    EXPECT_FALSE(IsEscaped(text));
  }
}

TEST(StoredText, WhatPostgresRefusesIsEscaped) {
  EXPECT_EQ(Storable(std::string("a\0b", 3)),
            "a\1"
            "00b");
  EXPECT_EQ(Storable("caf\xe9!"), "caf\1e9!");
  EXPECT_EQ(Storable("\1"),
            "\1"
            "01");
  EXPECT_EQ(Storable("\xed\xa0\x80"),
            "\1ed\1a0\1"
            "80")
      << "a surrogate";
}

TEST(StoredText, EveryTextComesBack) {
  std::mt19937 random(20240601);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 12, ' ');
    for (char& c : text) c = static_cast<char>(random() % 3 == 0 ? random() % 3 : random());
    EXPECT_EQ(Restored(Storable(text)), text);
  }
}

}  // namespace
}  // namespace spillway::store::postgres_state
