#include "core/suggest.h"

#include "support/matrices.h"

namespace goalpost::test {
namespace {

const std::vector<std::string_view> kNames = {"gamma", "tau", "target_every", "double_q"};

TEST(Names, SuggestTheNearestWithinASlip) {
  EXPECT_EQ(nearest_name("gama", kNames), "gamma");    // a letter missing
  EXPECT_EQ(nearest_name("gammma", kNames), "gamma");  // one too many
  EXPECT_EQ(nearest_name("gamna", kNames), "gamma");   // another one
  EXPECT_EQ(nearest_name("gmama", kNames), "gamma");   // two swapped
  EXPECT_EQ(nearest_name("GAMMA", kNames), "gamma");   // another case
  EXPECT_EQ(nearest_name("target-evry", kNames), "target_every");
}

TEST(Names, SuggestNothingFarAway) {
  EXPECT_EQ(nearest_name("FetchReach", {"FetchPush-v4", "FetchReach-v3", "FetchReach-v4", "FetchReachDense-v4"}),
            "FetchReach-v4")
      << "of several versions the last";
  EXPECT_EQ(nearest_name("learning_rate", kNames), "");
  EXPECT_EQ(nearest_name("", kNames), "");
  EXPECT_EQ(nearest_name("x", {}), "");
  EXPECT_EQ(did_you_mean("learning_rate", kNames), "");
  EXPECT_EQ(did_you_mean("gama", kNames), "; did you mean gamma?");
}

struct Entry {
  std::string_view name;
  int value;
};
const std::vector<Entry> kEntries = {{"one", 1}, {"three", 3}};

TEST(Names, AreFoundInATable) { EXPECT_EQ(find_by_name(kEntries, "three", "number", "list numbers").value, 3); }

TEST(Names, ThatAreUnknownGetASuggestionOrTheList) {
  EXPECT_THROW_MESSAGE(find_by_name(kEntries, "thre", "number", "list numbers"), UsageError,
                       "no number is called \"thre\"; did you mean three?");
  EXPECT_THROW_MESSAGE(find_by_name(kEntries, "eleven", "number", "list numbers"), UsageError,
                       "no number is called \"eleven\"; `list numbers` shows them all");
}

}  // namespace
}  // namespace goalpost::test
