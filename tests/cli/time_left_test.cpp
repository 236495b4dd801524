#include "cli/time_left.h"

#include <gtest/gtest.h>

#include <vector>

namespace goalpost {
namespace {

TEST(TimeLeft, OfARunThatHasNotBegunIsThatOfItsSettingOrInProportion) {
  std::vector<RunTime> runs = {{.experiment = "a", .setting = "n=1", .total = 100, .whole = 10, .left = 0},
                               {.experiment = "a", .setting = "n=1", .total = 100, .whole = 20, .left = 5},
                               {.experiment = "a", .setting = "n=1", .total = 100},
                               {.experiment = "a", .setting = "n=2", .total = 300},
                               {.experiment = "b", .setting = "", .total = 400, .whole = 270, .left = 0},
                               {.experiment = "c", .setting = "", .total = 50}};
  estimate(runs);
  EXPECT_EQ(runs[0].left, 0);
  EXPECT_EQ(runs[1].left, 5) << "known";
  EXPECT_EQ(runs[2].left, 15) << "the mean of its setting";
  EXPECT_EQ(runs[3].left, 45) << "0.15 a step in its experiment";
  EXPECT_EQ(runs[5].left, 25) << "0.5 a step in all";
}

TEST(TimeLeft, OfAllIsTheLongestAtLeast) {
  const std::vector<RunTime> equal = {{.left = 10}, {.left = 10}, {.left = 10}, {.left = 10}},
                             one = {{.left = 100}, {.left = 10}, {.left = 0}}, unknown = {{.left = 1}, {}};
  EXPECT_EQ(seconds_left(equal, 2), 20);
  EXPECT_EQ(seconds_left(one, 2), 100);
  EXPECT_TRUE(std::isnan(seconds_left(unknown, 2)));
  EXPECT_TRUE(std::isnan(seconds_left(equal, 0))) << "nobody works";
  EXPECT_EQ(seconds_left(std::vector<RunTime>{{.left = 0}}, 0), 0);
}

}  // namespace
}  // namespace goalpost
