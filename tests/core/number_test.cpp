#include "core/number.h"

#include <gtest/gtest.h>

#include <limits>

namespace goalpost {
namespace {

TEST(ExactInteger, ReadsEveryNotationOfAnInteger) {
  EXPECT_EQ(exact_integer("0"), 0);
  EXPECT_EQ(exact_integer("1_000_000"), 1'000'000);
  EXPECT_EQ(exact_integer("1e6"), 1'000'000);
  EXPECT_EQ(exact_integer("1.5E+3"), 1500);
  EXPECT_EQ(exact_integer("2500e-2"), 25);
  EXPECT_EQ(exact_integer("-12"), -12);
  EXPECT_EQ(exact_integer("0e9999"), 0);
  EXPECT_EQ(exact_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(exact_integer("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
}

TEST(ExactInteger, RefusesWhatIsNoIntegerOrHasNoPlace) {
  for (const char* text : {"",      "-",
                           "1.5",   "1.5e0",
                           "15e-1", "9223372036854775808",
                           "1e19",  "1e99999999999",
                           "1e",    "e3",
                           ".5",    "1.",
                           "1__0",  "_1",
                           "1_",    "0x10",
                           "1 ",    " 1",
                           "nan",   "inf",
                           "12a"})
    EXPECT_FALSE(exact_integer(text)) << text;
}

}  // namespace
}  // namespace goalpost
