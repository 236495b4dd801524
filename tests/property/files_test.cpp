// What is written is what is read: tables, configurations and episodes. What a writer refuses to take, with an error of
// its own, is no failure.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "core/check.h"
#include "property/generators.h"
#include "storage/config_text.h"
#include "storage/csv.h"
#include "storage/episode_format.h"
#include "storage/episode_reader.h"
#include "storage/episode_writer.h"
#include "storage/toml.h"
#include "support/temporary_directory.h"

namespace goalpost::test {
namespace {

// ---- CSV ------------------------------------------------------------------------------------------------------------

using Row = std::vector<std::pair<std::string, double>>;  // columns that are given, in any order

void expect_table(const CsvTable& table, const std::vector<Row>& rows) {
  std::vector<std::string> names;  // in the order in which they came
  for (const Row& row : rows)
    for (const auto& [name, value] : row)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  RC_ASSERT(table.names == names);
  RC_ASSERT(table.rows() == rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (const std::string& name : names) {
      double expected = std::numeric_limits<double>::quiet_NaN();
      for (const auto& [given, value] : rows[i])
        if (given == name) expected = value;
      RC_ASSERT(same_number(table.column(name)[i], expected));
    }
}

RC_GTEST_PROP(CsvProperty, ATableOfAnyNumbersAndNamesIsReadBackWhateverEndsTheProgram, ()) {
  const TemporaryDirectory directory;
  const auto path = directory / "table.csv";
  const auto number = rc::gen::oneOf(real<double>(true), rc::gen::just(std::numeric_limits<double>::quiet_NaN()));
  const std::vector<std::string> names = *rc::gen::scale(
      0.2, rc::gen::nonEmpty(
               rc::gen::unique<std::vector<std::string>>(rc::gen::oneOf(text(), rc::gen::string<std::string>()))));
  std::vector<Row> rows;
  std::optional<CsvLog> log;
  for (int n = *whole(1, 12).as("rows"); n > 0; --n) {
    if (!log || *whole(0, 3) == 0) {  // a run that was killed, while it wrote or not, goes on
      log.reset();
      if (*whole(0, 1) == 0 && std::filesystem::exists(path)) set_content(path, content(path) + "1.5,na");
      log.emplace(path);
    }
    Row row;
    std::vector<CsvLog::Column> columns;
    for (const std::string& name : names)
      if (*whole(0, 2) != 0) row.emplace_back(name, *number);
    if (*rc::gen::arbitrary<bool>()) std::reverse(row.begin(), row.end());
    if (row.empty()) row.emplace_back(names.front(), *number);
    for (const auto& [name, value] : row) columns.push_back({name, value});
    try {
      log->append(columns);
      rows.push_back(row);
    } catch (const std::invalid_argument&) {  // a name that no header can hold
    }
  }
  expect_table(read_csv(path), rows);
}

RC_GTEST_PROP(CsvProperty, WhatIsCutAwayIsWhatIsGreater, ()) {
  const TemporaryDirectory directory;
  const auto path = directory / "table.csv";
  const auto number = rc::gen::oneOf(real<double>(true), rc::gen::map(whole(-5, 5), [](int i) { return double(i); }),
                                     rc::gen::just(std::numeric_limits<double>::quiet_NaN()));
  std::vector<Row> rows, kept;
  const double last = *real<double>(true);
  CsvLog log(path);
  for (int n = *whole(1, 12).as("rows"); n > 0; --n) {
    const Row row = {{"time/step", *number}, {"x", *number}};
    const std::array<CsvLog::Column, 2> columns = {CsvLog::Column{"time/step", row[0].second}, {"x", row[1].second}};
    log.append(columns);
    rows.push_back(row);
    if (!(row[0].second > last)) kept.push_back(row);
  }
  cut_csv(path, "time/step", last);
  const CsvTable table = read_csv(path);
  RC_ASSERT(table.rows() == kept.size());
  if (!kept.empty()) expect_table(table, kept);
}

// ---- TOML -----------------------------------------------------------------------------------------------------------

constexpr std::array kColors = {"red", "green", "blue"};
enum class Color : int { red, green, blue };

// A field of any type under any name, in a table or tables of tables.
struct AnyField {
  std::vector<std::string> tables;
  std::string name;
  std::variant<bool, int, std::int64_t, float, double, std::optional<double>, std::string, std::vector<int>,
               std::vector<double>, std::vector<std::string>, Color>
      value;

  std::string path() const {
    std::string text;
    for (const std::string& table : tables) text += table + '.';
    return text + name;
  }
};
using AnyFields = std::vector<AnyField>;

// The same fields with other values, which reading is to replace.
AnyFields blank(AnyFields fields) {
  for (AnyField& f : fields) std::visit([]<class T>(T& value) { value = T(); }, f.value);
  return fields;
}

void visit_all(AnyFields& fields, ConfigVisitor& visitor) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (AnyField& f : fields) {
    const auto info = [](const std::string& name) { return FieldInfo{name, "", "", -kInfinity, kInfinity}; };
    for (const std::string& table : f.tables) visitor.enter(info(table));
    std::visit(
        [&]<class T>(T& value) {
          if constexpr (std::is_same_v<T, Color>) {
            int number = static_cast<int>(value);
            visitor.visit_enum(info(f.name), number, kColors);
            value = static_cast<T>(number);
          } else {
            visitor.visit(info(f.name), value);
          }
        },
        f.value);
    for (std::size_t i = 0; i < f.tables.size(); ++i) visitor.leave();
  }
}

bool same_values(const AnyField& a, const AnyField& b) {
  return std::visit(
      [&]<class T>(const T& value) {
        const T& other = std::get<T>(b.value);
        if constexpr (std::is_floating_point_v<T>)
          return same_number(value, other);
        else if constexpr (std::is_same_v<T, std::optional<double>>)
          return value.has_value() == other.has_value() && (!value || same_number(*value, *other));
        else if constexpr (std::is_same_v<T, std::vector<double>>)
          return same_numbers(value, other);
        else
          return value == other;
      },
      a.value);
}

// Numbers may be infinite, but not NaN: no range holds that.
AnyFields any_fields() {
  const auto name = rc::gen::nonEmpty(
      rc::gen::container<std::string>(rc::gen::elementOf(std::string("abcdefghijklmnopqrstuvwxyz_0123456789"))));
  const auto any_text = rc::gen::weightedOneOf<std::string>({{30, text()}, {1, rc::gen::string<std::string>()}});
  AnyFields fields;
  const std::vector<std::string> names =
      *rc::gen::scale(0.2, rc::gen::nonEmpty(rc::gen::unique<std::vector<std::string>>(name)));
  for (const std::string& n : names) {
    AnyField f{{}, n, {}};
    for (int depth = *whole(0, 2); depth > 0; --depth)  // tables have names that no field has
      f.tables.push_back(*rc::gen::element<std::string>("Agent", "Env", "X-1"));
    switch (*whole(0, 10)) {
      case 0:
        f.value = *rc::gen::arbitrary<bool>();
        break;
      case 1:
        f.value = *rc::gen::arbitrary<int>();
        break;
      case 2:
        f.value = *rc::gen::arbitrary<std::int64_t>();
        break;
      case 3:
        f.value = *real<float>(true);
        break;
      case 4:
        f.value = *real<double>(true);
        break;
      case 5:
        f.value = *rc::gen::arbitrary<bool>() ? std::optional(*real<double>(true)) : std::nullopt;
        break;
      case 6:
        f.value = *any_text;
        break;
      case 7:
        f.value = *rc::gen::arbitrary<std::vector<int>>();
        break;
      case 8:
        f.value = *rc::gen::container<std::vector<double>>(real<double>(true));
        break;
      case 9:
        f.value = *rc::gen::scale(0.3, rc::gen::container<std::vector<std::string>>(any_text));
        break;
      default:
        f.value = static_cast<Color>(*whole(0, 2));
    }
    fields.push_back(std::move(f));
  }
  return fields;
}

void expect_read(const TomlValues& values, const AnyFields& written) {
  AnyFields read = blank(written);
  ConfigReader reader(values);
  visit_all(read, reader);
  RC_ASSERT(reader.problems() == std::vector<std::string>());
  for (std::size_t i = 0; i < written.size(); ++i) RC_ASSERT(same_values(read[i], written[i]));
}

RC_GTEST_PROP(TomlProperty, AConfigurationOfAnyFieldsIsReadBack, ()) {
  AnyFields fields = any_fields();
  std::string text;
  try {
    text = to_toml([&](ConfigVisitor& v) { visit_all(fields, v); });
  } catch (const UsageError&) {  // text that TOML cannot hold
    return;
  }
  RC_LOG() << text;
  expect_read(TomlValues::from_text(text, "any.toml"), fields);
}

RC_GTEST_PROP(TomlProperty, WhatDescribeShowsCanBeSet, ()) {
  AnyFields fields = any_fields();
  std::vector<FieldText> shown;
  try {
    shown = describe_fields([&](ConfigVisitor& v) { visit_all(fields, v); });
  } catch (const UsageError&) {
    return;
  }
  TomlValues values;
  for (const FieldText& f : shown)
    if (!f.value.empty()) values.set(f.path + "=" + f.value);
  expect_read(values, fields);
}

// ---- episodes -------------------------------------------------------------------------------------------------------

float any_float(float low = -std::numeric_limits<float>::max(), float high = std::numeric_limits<float>::max()) {
  return std::clamp(*real<float>(false), low, high);
}

EpisodeHeader any_header() {
  EpisodeHeader h;
  h.environment = *text();
  h.config = *text();
  h.obs_dim = *whole(1, 4);
  h.goal_dim = *whole(0, 3);
  h.choices = *whole(0, 1) * *whole(1, 9);
  h.action_dim = h.choices > 0 ? 1 : *whole(1, 3);
  h.max_steps = *whole(1, 6);
  h.goal_radius = std::abs(*real<double>(false));
  h.dt = std::abs(*real<double>(false));
  h.seed = *rc::gen::arbitrary<std::uint64_t>();
  for (int i = 0; h.choices == 0 && i < h.action_dim; ++i) {
    h.action_low.push_back(-std::abs(*real<double>(false)) / 4);
    h.action_high.push_back(std::abs(*real<double>(false)) / 4 + 0.5);
  }
  return h;
}

void append_any_episode(const EpisodeHeader& h, EpisodeBlock& b) {
  const int steps = *whole(1, h.max_steps);
  const auto fill = [](std::vector<float>& to, int count) {
    for (int i = 0; i < count; ++i) to.push_back(any_float());
  };
  fill(b.observation, (steps + 1) * h.obs_dim);
  fill(b.achieved, (steps + 1) * h.goal_dim);
  fill(b.desired, (steps + 1) * h.goal_dim);
  fill(b.reward, steps);
  for (int i = 0; i < steps * h.action_dim; ++i)
    b.action.push_back(h.choices > 0 ? static_cast<float>(*whole(0, h.choices - 1)) : any_float(-1, 1));
  const bool terminated = *rc::gen::arbitrary<bool>();
  for (int t = 1; t <= steps; ++t) {
    b.terminated.push_back(t == steps && terminated);
    b.truncated.push_back(t == steps && !terminated);
    b.success.push_back(*rc::gen::arbitrary<bool>());
    b.failed.push_back(b.terminated.back() && *rc::gen::arbitrary<bool>());
  }
  b.end.push_back(b.reward.size());
  b.lane.push_back(*rc::gen::arbitrary<std::uint64_t>());
  b.run_step.push_back(*rc::gen::arbitrary<std::uint64_t>());
  b.purpose.push_back(static_cast<std::uint8_t>(*whole(0, 2)));
}

RC_GTEST_PROP(EpisodeProperty, AnyEpisodesAreReadBackHoweverTheyWereAppended, ()) {
  const TemporaryDirectory directory;
  const auto path = directory / "episodes.h5";
  const EpisodeHeader h = any_header();
  EpisodeFileWriter writer(path, h, *rc::gen::arbitrary<bool>().as("compressed"));
  EpisodeBlock all;
  for (int n = *whole(0, 4).as("blocks"); n > 0; --n) {
    EpisodeBlock block;
    for (int e = *whole(0, 5).as("episodes"); e > 0; --e) append_any_episode(h, block);
    writer.append(block);
    for (std::uint64_t e = 0; e < block.episodes(); ++e) all.append_episode(h, block, e);
  }
  writer.close();

  const EpisodeReader reader(path);
  const EpisodeHeader& found = reader.header();
  RC_ASSERT(found.environment == h.environment);
  RC_ASSERT(found.config == h.config);
  RC_ASSERT(found.same_spaces(h));
  RC_ASSERT(found.max_steps == h.max_steps);
  RC_ASSERT(found.action_low == h.action_low);
  RC_ASSERT(found.action_high == h.action_high);
  RC_ASSERT(found.goal_radius == h.goal_radius);
  RC_ASSERT(found.dt == h.dt);
  RC_ASSERT(found.seed == h.seed);
  RC_ASSERT(reader.episodes() == all.episodes());
  RC_ASSERT(reader.steps() == all.steps());
  EpisodeBlock read;
  for (std::uint64_t e = 0; e < reader.episodes(); ++e) reader.read(e, read);
  RC_ASSERT(same_numbers(read.observation, all.observation));
  RC_ASSERT(same_numbers(read.achieved, all.achieved));
  RC_ASSERT(same_numbers(read.desired, all.desired));
  RC_ASSERT(same_numbers(read.action, all.action));
  RC_ASSERT(same_numbers(read.reward, all.reward));
  RC_ASSERT(read.terminated == all.terminated);
  RC_ASSERT(read.truncated == all.truncated);
  RC_ASSERT(read.success == all.success);
  RC_ASSERT(read.failed == all.failed);
  RC_ASSERT(read.end == all.end);
  RC_ASSERT(read.lane == all.lane);
  RC_ASSERT(read.run_step == all.run_step);
  RC_ASSERT(read.purpose == all.purpose);
}

}  // namespace
}  // namespace goalpost::test
