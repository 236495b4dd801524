#include "core/schedule.h"

#include <gtest/gtest.h>

namespace goalpost::test {
namespace {

TEST(LinearSchedule, MovesLinearlyAndStays) {
  const LinearSchedule s{.from = 1, .to = 0.2, .steps = 100};
  EXPECT_DOUBLE_EQ(s.at(0), 1);
  EXPECT_DOUBLE_EQ(s.at(25), 0.8);
  EXPECT_DOUBLE_EQ(s.at(100), 0.2);
  EXPECT_DOUBLE_EQ(s.at(1'000'000), 0.2);
  EXPECT_DOUBLE_EQ((LinearSchedule{.from = 1, .to = 0.2, .steps = 0}.at(0)), 0.2);
}

TEST(AddDue, AddsFractionsUpToWholeNumbers) {
  double due = 0;
  for (int i = 0; i < 10; ++i) due = add_due(due, 0.1);
  EXPECT_EQ(due, 1);
  EXPECT_DOUBLE_EQ(add_due(1, 0.25), 1.25);
}

}  // namespace
}  // namespace goalpost::test
