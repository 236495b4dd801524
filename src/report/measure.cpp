#include "report/measure.h"

#include <fmt/format.h>

#include "core/check.h"

namespace goalpost {

const Measure& find_measure(const std::string& column) {
  std::string all;
  for (const Measure& m : kMeasures) {
    if (m.column == column) return m;
    all += fmt::format("{}{}", all.empty() ? "" : ", ", m.column);
  }
  throw UsageError(fmt::format("no learning curve shows \"{}\"; expected one of: {}", column, all));
}

}  // namespace goalpost
