#include "report/text_table.h"

#include <gtest/gtest.h>

#include <string>

namespace goalpost {
namespace {

TEST(TextTable, AlignsColumnsAndBreaksAfterLongNames) {
  const std::string name(33, 'x');
  EXPECT_EQ(text_table({{"name", "of", "n"}, {"a", "bc", "10"}, {name, "", "7"}, {"a", name, "8"}}, 2),
            "name  of   n\n"
            "a     bc  10\n" +
                name + "\n           7\na     " + name + "\n           8\n");
  EXPECT_EQ(text_table({{"name", "n", "last"}, {"a", "1", ""}}, 1), "name  n  last\na     1\n");
  EXPECT_EQ(text_table({}, 2), "");
}

TEST(TextTable, PutsNumbersBelowNamesWhereTheyDoNotFitBeside) {
  const std::vector<std::vector<std::string>> rows = {
      {"name", "variant", "n", "last"}, {"abc", "", "10", "0.5"}, {"abc", "x=1", "7", ""}};
  EXPECT_EQ(text_table(rows, 2, 23), "name  variant   n  last\nabc            10   0.5\nabc   x=1       7\n");
  EXPECT_EQ(text_table(rows, 2, 22), "name  variant\n   n  last\nabc\n  10   0.5\nabc  x=1\n   7\n");
  EXPECT_EQ(text_table({{"name", "variant", "n"}, {"abcdef", "x=1,y=2,z=3", "4"}}, 2, 12),
            "name\nvariant\n  n\nabcdef\nx=1,y=2,z=3\n  4\n");
  EXPECT_EQ(text_table({{"name", "n"}, {"x=1,y=2,z=3", "4"}}, 1, 9), "name\n  n\nx=1, y=2,\n    z=3\n  4\n");
}

}  // namespace
}  // namespace goalpost
