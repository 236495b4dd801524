#include "storage/former_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <tuple>
#include <vector>

#include "core/check.h"
#include "storage/config_text.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

enum class Color : int { red, blue };
constexpr std::array kColorNames = {"red", "blue"};
constexpr EnumNames enum_names(Color) { return kColorNames; }
constexpr std::array kFormerColors = {FormerValue{"rot", "red"}, FormerValue{"blau", "blue"}};

struct Inner {
  int buffer_size = 1;
  Color color = Color::red;
};
constexpr auto fields(const Inner*) {
  return std::tuple{field("buffer_size", &Inner::buffer_size, "").formerly("capacity"),
                    field("color", &Inner::color, "").with_former_values(kFormerColors)};
}
struct Outer {
  int num_envs = 1;
  std::string name = "x";
  Inner inner = {};
};
constexpr auto fields(const Outer*) {
  return std::tuple{field("num_envs", &Outer::num_envs, "").formerly("lanes"), field("name", &Outer::name, ""),
                    field("inner", &Outer::inner, "")};
}

std::vector<FieldText> all_fields() {
  Outer outer;
  return describe_fields([&](ConfigVisitor& v) { visit_fields(outer, v); });
}

// What is read of a text and assignments, and what is noted.
struct Read {
  Outer outer;
  std::vector<std::string> notes, problems;
};
Read read(const std::string& text, const std::vector<std::string>& set = {}) {
  TomlValues values = TomlValues::from_text(text, "x.toml");
  for (const std::string& s : set) values.set(s);
  Read r;
  r.notes = rename_former(values, all_fields());
  ConfigReader reader(values);
  visit_fields(r.outer, reader);
  r.problems = reader.problems();
  return r;
}

TEST(FormerNames, OfFieldsAndOfValuesAreReadAsThePresentOnes) {
  const Read r = read("lanes = 4\nname = 'rot'\n[inner]\ncapacity = 7\ncolor = 'blau'\n");
  EXPECT_THAT(r.problems, ElementsAre());
  EXPECT_EQ(r.outer.num_envs, 4);
  EXPECT_EQ(r.outer.name, "rot") << "a value of another field";
  EXPECT_EQ(r.outer.inner.buffer_size, 7);
  EXPECT_EQ(r.outer.inner.color, Color::blue);
  EXPECT_THAT(r.notes,
              ElementsAre("lanes is now num_envs (x.toml:1)", "inner.capacity is now inner.buffer_size (x.toml:4)",
                          "inner.color = \"blau\" is now \"blue\" (x.toml:5)"));
  const Read present = read("num_envs = 4\n[inner]\nbuffer_size = 7\ncolor = 'blue'\n");
  EXPECT_THAT(present.notes, ElementsAre());
  EXPECT_EQ(present.outer.inner.color, Color::blue);
}

TEST(FormerNames, AreOfTheirOwnTable) {
  EXPECT_THAT(read("capacity = 7\n[inner]\nlanes = 4\n").problems,
              ElementsAre(HasSubstr("capacity: no such setting"), HasSubstr("inner.lanes: no such setting")));
}

TEST(FormerNames, OnTheCommandLineGoOverAFileAndBothNamesInOnePlaceAreRefused) {
  EXPECT_EQ(read("num_envs = 4\n", {"lanes=5"}).outer.num_envs, 5);
  EXPECT_EQ(read("lanes = 4\n", {"num_envs=5"}).outer.num_envs, 5);
  const auto refusal = [](const std::string& text, const std::vector<std::string>& set) -> std::string {
    try {
      read(text, set);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refusal("lanes = 4\nnum_envs = 5\n", {}),
            "lanes is the former name of num_envs, which is set too (x.toml:1 and x.toml:2); expected one of them");
  EXPECT_THAT(refusal("", {"num_envs=5", "lanes=4"}), HasSubstr("(--set lanes=4 and --set num_envs=5)"));
}

TEST(FormerNames, AreNeitherDescribedNorSuggested) {
  for (const FieldText& f : all_fields()) EXPECT_THAT(f.path, testing::Not(HasSubstr("lanes")));
  EXPECT_THAT(read("[inner]\ncolor = 'blauer'\n").problems, ElementsAre(HasSubstr("expected one of red, blue")));
}

TEST(FormerNames, InAnAssignmentKeepTheRestOfIt) {
  const auto renamed = [](std::string assignment) {
    rename_former(assignment, all_fields());
    return assignment;
  };
  EXPECT_EQ(renamed("lanes=1_000"), "num_envs=1_000");
  EXPECT_EQ(renamed("inner.color=blau"), "inner.color=blue");
  EXPECT_EQ(renamed("inner.color=\"rot\""), "inner.color=red");
  for (const char* other : {"num_envs=4", "inner.color=\"red\"", "name=\"a, b\"", "no assignment", "color=rot"})
    EXPECT_EQ(renamed(other), other);
}

}  // namespace
}  // namespace goalpost
