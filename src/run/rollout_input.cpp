#include "run/rollout_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "storage/csv.h"
#include "storage/file.h"

namespace goalpost {
namespace {

CsvTable read_table(const std::filesystem::path& file) {
  try {
    return read_user_csv(file);
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(e.what());
  }
}

}  // namespace

std::vector<double> read_coordinates(const std::filesystem::path& file, const std::vector<std::string>& names,
                                     const std::string& env) {
  const CsvTable table = read_table(file);
  if (table.rows() != 1)
    throw UsageError(
        fmt::format("{} holds {} rows; expected one, the state to start from", file.string(), table.rows()));
  std::vector<double> values;
  for (const std::string& name : names) {
    if (!table.has(name))
      throw UsageError(fmt::format("{} has no column {}; expected {} to {} for {}", file.string(), name, names.front(),
                                   names.back(), env));
    const double value = table.column(name)[0];
    if (!std::isfinite(value))
      throw UsageError(fmt::format("{}:2: {} = {}; expected a finite number", file.string(), name, value));
    values.push_back(value);
  }
  return values;
}

Eigen::MatrixXd read_actions(const std::filesystem::path& file, const EnvSpec& spec) {
  const CsvTable table = read_table(file);
  if (table.rows() == 0) throw UsageError(fmt::format("{} holds no rows; expected one action per row", file.string()));
  std::vector<std::string> names;
  for (int i = 0; i < spec.action.dim; ++i) names.push_back(fmt::format("a{}", i));
  for (const std::string& name : names)
    if (!table.has(name))
      throw UsageError(
          fmt::format("{} has no column {}; expected a0 to {} for {}", file.string(), name, names.back(), spec.name));
  const auto is_reset = [&](std::size_t row) {
    return table.has("reward") && std::isnan(table.column("reward")[row]) &&
           std::all_of(names.begin(), names.end(),
                       [&](const std::string& name) { return std::isnan(table.column(name)[row]); });
  };
  std::vector<std::size_t> rows;
  for (std::size_t row = 0; row < table.rows(); ++row)
    if (!is_reset(row)) rows.push_back(row);
  if (rows.empty())
    throw UsageError(fmt::format("{} holds only rows of resets; expected one action per row", file.string()));
  Eigen::MatrixXd actions(spec.action.dim, static_cast<Index>(rows.size()));
  for (int i = 0; i < spec.action.dim; ++i) {
    const std::string& name = names[i];
    for (Index t = 0; t < actions.cols(); ++t) {
      const std::size_t row = rows[t];
      const double a = table.column(name)[row];
      const bool ok =
          spec.action.kind == ActionSpace::Kind::discrete
              ? a >= 0 && a < spec.action.choices && a == static_cast<int>(a)
              : a >= static_cast<double>(spec.action.low(i)) && a <= static_cast<double>(spec.action.high(i));
      if (!ok)
        throw UsageError(
            fmt::format("{}:{}: {} = {}; expected {}", file.string(), row + 2, name, a,
                        spec.action.kind == ActionSpace::Kind::discrete
                            ? fmt::format("an integer in [0, {}]", spec.action.choices - 1)
                            : fmt::format("a number in [{}, {}]", spec.action.low(i), spec.action.high(i))));
      actions(i, t) = a;
    }
  }
  return actions;
}

}  // namespace goalpost
