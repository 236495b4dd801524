#include "autodiff/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace goalpost {
namespace {

TEST(Arena, AlignsEveryPiece) {
  Arena arena;
  for (const std::size_t bytes : {1, 3, 64, 65, 1000, 100'000})
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arena.allocate(bytes)) % Arena::kAlignment, 0u) << bytes << " bytes";
}

TEST(Arena, PiecesDoNotOverlap) {
  Arena arena;
  std::vector<unsigned char*> pieces;
  for (int i = 0; i < 200; ++i) {
    pieces.push_back(static_cast<unsigned char*>(arena.allocate(1500)));
    std::memset(pieces.back(), i, 1500);
  }
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(pieces[static_cast<std::size_t>(i)][0], i);
    EXPECT_EQ(pieces[static_cast<std::size_t>(i)][1499], i);
  }
}

TEST(Arena, HandsOutTheSameMemoryAfterRewind) {
  Arena arena;
  std::vector<void*> first;
  for (const std::size_t bytes : {100, 70'000, 200'000, 8}) first.push_back(arena.allocate(bytes));
  for (int pass = 0; pass < 3; ++pass) {
    arena.rewind();
    std::size_t i = 0;
    for (const std::size_t bytes : {100, 70'000, 200'000, 8}) EXPECT_EQ(arena.allocate(bytes), first[i++]);
  }
}

TEST(Arena, ServesAPieceLargerThanAllItsBlocks) {
  Arena arena;
  arena.allocate(10);
  auto* large = static_cast<unsigned char*>(arena.allocate(5'000'000));
  std::memset(large, 7, 5'000'000);
  arena.rewind();
  auto* again = static_cast<unsigned char*>(arena.allocate(5'000'000));
  std::memset(again, 8, 5'000'000);
  EXPECT_EQ(large, again);
}

}  // namespace
}  // namespace goalpost
