#include "storage/toml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "algos/her.h"
#include "core/check.h"
#include "nn/mlp.h"
#include "storage/config_text.h"
#include "support/temporary_directory.h"

namespace goalpost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Inner {
  int count = 3;
  double rate = 0.5;
};
constexpr auto fields(const Inner*) {
  return std::tuple{field("count", &Inner::count, "a count", 1, 10), field("rate", &Inner::rate, "a rate", 0, 1)};
}
struct Outer {
  std::string name = "x";
  bool flag = false;
  std::int64_t steps = 5;
  float small = 0.98F;
  std::vector<int> sizes = {4, 5};
  std::vector<std::string> words = {};
  std::optional<double> maybe = {};
  std::vector<double> reals = {};
  HerStrategy strategy = HerStrategy::future;
  Inner inner = {};
};
constexpr auto fields(const Outer*) {
  return std::tuple{field("name", &Outer::name, ""),
                    field("flag", &Outer::flag, ""),
                    field("steps", &Outer::steps, "", 0, 1e12),
                    field("small", &Outer::small, "", 0, 1),
                    field("sizes", &Outer::sizes, "", 1, 100),
                    field("words", &Outer::words, ""),
                    field("maybe", &Outer::maybe, "", -1, 1),
                    field("reals", &Outer::reals, "", -10, 10),
                    field("strategy", &Outer::strategy, ""),
                    field("inner", &Outer::inner, "")};
}
static_assert(complete<Inner> && complete<Outer>);

std::vector<std::string> problems_of(const std::string& text, const std::vector<std::string>& set = {}) {
  TomlValues values = TomlValues::from_text(text, "x.toml");
  for (const std::string& s : set) values.set(s);
  ConfigReader reader(values);
  Outer outer;
  visit_fields(outer, reader);
  return reader.problems();
}

TEST(Toml, ReadsEveryTypeOfField) {
  TomlValues values = TomlValues::from_text(
      "name = 'a b'\nflag = true\nsteps = 1_000_000\nsmall = 1\nsizes = [1, 2, 3]\nwords = ['p', 'q']\n"
      "strategy = 'final'\n[inner]\ncount = 7\nrate = 0.25\n",
      "x.toml");
  ConfigReader reader(values);
  Outer o;
  visit_fields(o, reader);
  EXPECT_THAT(reader.problems(), ElementsAre());
  EXPECT_EQ(o.name, "a b");
  EXPECT_TRUE(o.flag);
  EXPECT_EQ(o.steps, 1'000'000);
  EXPECT_EQ(o.small, 1.0F);
  EXPECT_THAT(o.sizes, ElementsAre(1, 2, 3));
  EXPECT_THAT(o.words, ElementsAre("p", "q"));
  EXPECT_EQ(o.strategy, HerStrategy::final);
  EXPECT_EQ(o.inner.count, 7);
  EXPECT_EQ(o.inner.rate, 0.25);
}

TEST(Toml, ReportsAllProblemsAtOnceWithFileAndLine) {
  EXPECT_THAT(
      problems_of("flag = 1\nsteps = 2.5\nstrategy = 'futur'\nsizes = [1, 0]\n[inner]\ncuont = 2\nrate = 1.5\n"),
      ElementsAre("flag = 1; expected true or false (x.toml:1)", "steps = 2.5; expected an integer (x.toml:2)",
                  "sizes = [1, 0] lies outside [1, 100] (x.toml:4)",
                  "strategy = \"futur\"; expected one of none, final, future, episode, random; did you mean "
                  "future? (x.toml:3)",
                  "inner.rate = 1.5 lies outside [0, 1] (x.toml:7)",
                  "inner.cuont: no such setting (x.toml:6); did you mean count?"));
}

TEST(Toml, ANumberMayBeLeftOutAndAListMayMixIntegersAndReals) {
  TomlValues values = TomlValues::from_text("reals = [1, 2.5, -3]\n", "x.toml");
  ConfigReader reader(values);
  Outer o;
  visit_fields(o, reader);
  EXPECT_THAT(reader.problems(), ElementsAre());
  EXPECT_FALSE(o.maybe.has_value());
  EXPECT_THAT(o.reals, ElementsAre(1, 2.5, -3));
  const std::string text = to_toml([&](ConfigVisitor& v) { visit_fields(o, v); });
  EXPECT_THAT(text, testing::Not(HasSubstr("maybe")));
  EXPECT_THAT(text, HasSubstr("reals = [1.0, 2.5, -3.0]\n"));
  values.set("maybe=-0.5");
  ConfigReader again(values);
  visit_fields(o, again);
  EXPECT_EQ(o.maybe, -0.5);
  EXPECT_THAT(
      problems_of("maybe = 2\nreals = [0.5, 11]\n"),
      ElementsAre("maybe = 2 lies outside [-1, 1] (x.toml:1)", "reals = [0.5, 11] lies outside [-10, 10] (x.toml:2)"));
  EXPECT_THAT(problems_of("reals = ['a']\n"),
              ElementsAre("reals = [\"a\"]; expected a list of numbers, e.g. [0.1, 0.2] (x.toml:1)"));
}

TEST(Toml, SuggestsAFieldOfAnotherTable) {
  EXPECT_THAT(problems_of("rate = 0.5\n"), ElementsAre("rate: no such setting (x.toml:1); did you mean inner.rate?"));
}

TEST(Toml, RefusesAValueWhereATableIsExpected) {
  EXPECT_THAT(problems_of("inner = 3\n"), ElementsAre("inner = 3; expected a table (x.toml:1)"));
}

TEST(Toml, RefusesNumbersThatDoNotFit) {
  EXPECT_THAT(problems_of("[inner]\ncount = 99999999999\n"),
              ElementsAre("inner.count = 99999999999 lies outside [1, 10] (x.toml:2)"));
  EXPECT_THAT(problems_of("small = nan\n"), ElementsAre("small = nan; expected a number (x.toml:1)"));
}

TEST(Toml, SetOverridesTheFileAndNeedsNoQuotes) {
  TomlValues values = TomlValues::from_text("strategy = 'final'\n[inner]\ncount = 7\n", "x.toml");
  values.set("strategy=episode");
  values.set("inner.count=2");
  values.set("sizes=[9]");
  ConfigReader reader(values);
  Outer o;
  visit_fields(o, reader);
  EXPECT_THAT(reader.problems(), ElementsAre());
  EXPECT_EQ(o.strategy, HerStrategy::episode);
  EXPECT_EQ(o.inner.count, 2);
  EXPECT_THAT(o.sizes, ElementsAre(9));
  EXPECT_THAT(problems_of("", {"inner.count=11"}),
              ElementsAre("inner.count = 11 lies outside [1, 10] (--set inner.count=11)"));
}

TEST(Toml, TextThatIsNotUtf8IsRefusedWhereItComesInAndWhereItIsWritten) {
  TomlValues values;
  for (const char* text : {"caf\xe9", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "a\x80"}) {
    std::string label = text;
    EXPECT_THAT(message_of<UsageError>([&] { values.set("label=" + label); }), HasSubstr("not UTF-8"));
    const auto write = [&] { to_toml([&](ConfigVisitor& v) { v.visit(FieldInfo{"label", "", "", 0, 0}, label); }); };
    EXPECT_THAT(message_of<UsageError>(write), HasSubstr("not UTF-8"));
  }
  EXPECT_NO_THROW(values.set("label=caf\u00e9 \u20ac \U0001f600"));
}

TEST(Toml, SetWithoutAnAssignmentIsRefused) {
  TomlValues values = TomlValues::from_text("", "x.toml");
  for (const char* wrong : {"inner.count", "=3", "a b=3", ""}) EXPECT_THROW(values.set(wrong), UsageError) << wrong;
}

TEST(Toml, NamesTheLineOfASyntaxError) {
  try {
    TomlValues::from_text("a = 1\nb = = 2\n", "x.toml");
    FAIL() << "was accepted";
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), HasSubstr("x.toml:2: not TOML"));
  }
  EXPECT_THROW(TomlValues::from_file("/nowhere/x.toml"), UsageError);
}

TEST(Toml, WhatIsWrittenReadsBackToTheSameValues) {
  Outer o{.name = "quo\"te \\ \n",
          .flag = true,
          .steps = -3,
          .small = 0.1F,
          .sizes = {},
          .words = {"a", "b\"c"},
          .strategy = HerStrategy::random,
          .inner = {.count = 9, .rate = 1.0 / 3}};
  const std::string text = to_toml([&](ConfigVisitor& v) { visit_fields(o, v); });
  TomlValues values = TomlValues::from_text(text, "x.toml");
  ConfigReader reader(values);
  Outer back;
  visit_fields(back, reader);
  o.steps = back.steps = 0;  // -3 lies outside the range and is reported
  EXPECT_EQ(reader.problems().size(), 1u);
  EXPECT_EQ(back.name, o.name);
  EXPECT_EQ(back.small, o.small);
  EXPECT_EQ(back.inner.rate, o.inner.rate);
  EXPECT_EQ(back.words, o.words);
  EXPECT_EQ(back.sizes, o.sizes);
  EXPECT_EQ(back.strategy, o.strategy);
}

TEST(Toml, DescribesFieldsWithRangesAndChoices) {
  Outer o;
  const std::vector<FieldText> list = describe_fields([&](ConfigVisitor& v) { visit_fields(o, v); });
  ASSERT_EQ(list.size(), 11u);
  EXPECT_EQ(list[6].value, "") << "left out";
  EXPECT_EQ(list[8].range, "none, final, future, episode, random");
  EXPECT_EQ(list[9].path, "inner.count");
  EXPECT_EQ(list[9].range, "[1, 10]");
  EXPECT_EQ(list[3].value, "0.98");
}

}  // namespace
}  // namespace goalpost
