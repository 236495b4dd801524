#include "core/config.h"

#include <typeinfo>

#include "support/matrices.h"

namespace goalpost::test {
namespace {

enum class Color : int { red, green };
constexpr std::array kColorNames = {"red", "green"};
constexpr EnumNames enum_names(Color) { return kColorNames; }

struct Inner {
  double weight = 0.5;
};
constexpr auto fields(const Inner*) {
  return std::tuple{field("weight", &Inner::weight, "how much", 0, 1, "Somebody 2001")};
}
static_assert(complete<Inner>);

struct Outer {
  int number = 3;
  bool flag = true;
  std::int64_t large = 1'000'000'000'000;
  float small = 0.25f;
  std::string text = "abc";
  std::vector<int> list = {1, 2};
  std::vector<std::string> texts = {"a", "b", "c"};
  std::optional<double> maybe = {};
  std::vector<double> reals = {0.5};
  Color color = Color::green;
  Inner inner = {};
};
constexpr auto fields(const Outer*) {
  return std::tuple{field("number", &Outer::number, "a number", 1, 9),
                    field("flag", &Outer::flag, "a flag"),
                    field("large", &Outer::large, ""),
                    field("small", &Outer::small, ""),
                    field("text", &Outer::text, ""),
                    field("list", &Outer::list, ""),
                    field("texts", &Outer::texts, ""),
                    field("maybe", &Outer::maybe, ""),
                    field("reals", &Outer::reals, ""),
                    field("color", &Outer::color, "a color"),
                    field("inner", &Outer::inner, "a table")};
}
static_assert(complete<Outer>);

struct Parent {
  int first = 1;
  Inner options = {};
  int last = 2;
};
constexpr auto fields(const Parent*) {
  return std::tuple{field("first", &Parent::first, ""), flat(&Parent::options), field("last", &Parent::last, "")};
}
static_assert(complete<Parent>, "a flat member counts as one");

struct Forgetful {
  int a = 0, b = 0;
};
[[maybe_unused]] constexpr auto fields(const Forgetful*) { return std::tuple{field("a", &Forgetful::a, "")}; }
static_assert(!complete<Forgetful>, "a member without an entry is noticed");
static_assert(Config<Outer> && !Config<int>);
static_assert(std::string_view(enum_name(Color::green)) == "green");

// Records the visited fields, and sets the given ones.
class Recorder final : public ConfigVisitor {
 public:
  std::vector<std::string> lines;
  bool change = false;
  void visit(const FieldInfo& i, bool& v) override { scalar(i, v, false); }
  void visit(const FieldInfo& i, int& v) override { scalar(i, v, 7); }
  void visit(const FieldInfo& i, std::int64_t& v) override { scalar(i, v, std::int64_t(8)); }
  void visit(const FieldInfo& i, float& v) override { scalar(i, v, 0.5f); }
  void visit(const FieldInfo& i, double& v) override { scalar(i, v, 0.75); }
  void visit(const FieldInfo& i, std::optional<double>& v) override {
    add(i, v ? "given" : "left out");
    if (change) v = 0.125;
  }
  void visit(const FieldInfo& i, std::vector<double>& v) override {
    add(i, std::to_string(v.size()) + " reals");
    if (change) v = {1.5, 2.5};
  }
  void visit(const FieldInfo& i, std::string& v) override { scalar(i, v, std::string("xyz")); }
  void visit(const FieldInfo& i, std::vector<int>& v) override {
    add(i, std::to_string(v.size()) + " numbers");
    if (change) v = {5};
  }
  void visit(const FieldInfo& i, std::vector<std::string>& v) override {
    add(i, std::to_string(v.size()) + " texts");
    if (change) v = {"x"};
  }
  void visit_enum(const FieldInfo& i, int& v, EnumNames names) override {
    add(i, names[static_cast<std::size_t>(v)]);
    if (change) v = 0;
  }
  void enter(const FieldInfo& i) override { prefix_ += std::string(i.name) + "."; }
  void leave() override { prefix_.clear(); }

 private:
  template <class T>
  void scalar(const FieldInfo& i, T& v, const T& other) {
    add(i, ::goalpost::detail::concatenate(v));
    if (change) v = other;
  }
  void add(const FieldInfo& i, const std::string& value) {
    lines.push_back(prefix_ + std::string(i.name) + " = " + value);
  }
  std::string prefix_;
};

TEST(Config, IsVisitedFieldByFieldInTheOrderOfItsTable) {
  Outer c;
  Recorder r;
  visit_fields(c, r);
  EXPECT_THAT(r.lines, ::testing::ElementsAre("number = 3", "flag = 1", "large = 1000000000000", "small = 0.25",
                                              "text = abc", "list = 2 numbers", "texts = 3 texts", "maybe = left out",
                                              "reals = 1 reals", "color = green", "inner.weight = 0.5"));
}

TEST(Config, TakesWhatAVisitorWrites) {
  Outer c;
  Recorder r;
  r.change = true;
  visit_fields(c, r);
  EXPECT_EQ(c.number, 7);
  EXPECT_FALSE(c.flag);
  EXPECT_EQ(c.large, 8);
  EXPECT_EQ(c.small, 0.5f);
  EXPECT_EQ(c.text, "xyz");
  EXPECT_EQ(c.list, std::vector<int>{5});
  EXPECT_EQ(c.maybe, 0.125);
  EXPECT_EQ(c.reals, (std::vector<double>{1.5, 2.5}));
  EXPECT_EQ(c.texts, std::vector<std::string>{"x"});
  EXPECT_EQ(c.color, Color::red);
  EXPECT_EQ(c.inner.weight, 0.75);
}

TEST(Config, FieldsOfAFlatMemberStandInTheTableOfItsParent) {
  Parent c;
  Recorder r;
  r.change = true;
  visit_fields(c, r);
  EXPECT_THAT(r.lines, ::testing::ElementsAre("first = 1", "weight = 0.5", "last = 2"));
  EXPECT_EQ(c.options.weight, 0.75);
}

TEST(Config, TablesCarryRangesAndSources) {
  const auto table = fields(static_cast<const Outer*>(nullptr));
  EXPECT_EQ(std::get<0>(table).info.low, 1);
  EXPECT_EQ(std::get<0>(table).info.high, 9);
  EXPECT_EQ(std::get<0>(table).info.doc, "a number");
  EXPECT_TRUE(std::isinf(std::get<1>(table).info.high)) << "no range means any number";
  EXPECT_EQ(std::get<0>(fields(static_cast<const Inner*>(nullptr))).info.source, "Somebody 2001");
}

TEST(Settings, HideTheTypeAndAreCopied) {
  SettingsOf<Outer> settings;
  Recorder r;
  r.change = true;
  const std::unique_ptr<Settings> before = settings.clone();
  settings.visit(r);
  EXPECT_EQ(settings_as<Outer>(settings).number, 7);
  EXPECT_EQ(settings_as<Outer>(*before).number, 3);
  EXPECT_THROW(settings_as<Inner>(settings), std::bad_cast);
}

}  // namespace
}  // namespace goalpost::test
