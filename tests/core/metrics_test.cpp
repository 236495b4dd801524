#include "core/metrics.h"

#include <array>
#include <string>

#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

TEST(Metrics, AverageWhatWasAddedUnderEachName) {
  Metrics m;
  EXPECT_TRUE(m.empty());
  m.add("loss", 1);
  m.add("loss", 4);
  m.add("rate", 0.5);
  EXPECT_FALSE(m.empty());
  EXPECT_DOUBLE_EQ(m.mean("loss", -1), 2.5);
  EXPECT_DOUBLE_EQ(m.mean("rate", -1), 0.5);
  EXPECT_DOUBLE_EQ(m.mean("other", -1), -1);
}

TEST(Metrics, AreListedInTheOrderOfTheirFirstValue) {
  Metrics m;
  m.add("b", 1);
  m.add("a", 2);
  m.add("b", 3);
  ASSERT_EQ(m.end() - m.begin(), 2);
  EXPECT_EQ(m.begin()[0].name(), "b");
  EXPECT_EQ(m.begin()[0].count, 2);
  EXPECT_EQ(m.begin()[1].name(), "a");
}

TEST(Metrics, StartAgainAfterClear) {
  Metrics m;
  m.add("loss", 10);
  m.clear();
  EXPECT_TRUE(m.empty());
  m.add("loss", 2);
  EXPECT_DOUBLE_EQ(m.mean("loss", -1), 2);
}

TEST(Metrics, AreRestoredWithTheirNames) {
  Metrics saved, loaded;
  saved.add("train/loss", 1);
  saved.add("train/loss", 2);
  saved.add("rate", 7);
  loaded.add("other", 3);
  // A load visits as many names as were saved, so the counter comes first; RestoreVisitor checks the names.
  restore(loaded, snapshot(saved));
  EXPECT_EQ(loaded.end() - loaded.begin(), 2);
  EXPECT_EQ(loaded.begin()[0].name(), "train/loss");
  EXPECT_DOUBLE_EQ(loaded.mean("train/loss", -1), 1.5);
  loaded.add("rate", 9);
  EXPECT_DOUBLE_EQ(loaded.mean("rate", -1), 8);
}

TEST(Metrics, HoldThirtyTwoNames) {
  std::array<std::string, 33> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = std::string(1, static_cast<char>('A' + i));
  Metrics m;
  for (std::size_t i = 0; i < 32; ++i) m.add(names[i], 1);
  EXPECT_NO_THROW(m.add(names[31], 1));
  EXPECT_THROW_MESSAGE(m.add(names[32], 1), std::invalid_argument,
                       "Metrics::add: a would be name 33; expected at most 32");
  Metrics one;
  EXPECT_THROW_MESSAGE(one.add(std::string(48, 'x'), 1), std::invalid_argument, "48 characters; expected at most 47");
}

}  // namespace
}  // namespace goalpost::test
