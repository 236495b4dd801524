// Times of runs, from those that are known.
#include "cli/time_left.h"

#include <algorithm>
#include <map>
#include <utility>

namespace goalpost {
namespace {

struct Known {
  double seconds = 0, total = 0;
  int runs = 0;
};

std::string setting_of(const RunTime& run) { return run.experiment + "\n" + run.setting; }

}  // namespace

void estimate(std::span<RunTime> runs) {
  std::map<std::string, Known> known;  // by setting, by experiment and of all
  for (const RunTime& run : runs) {
    if (run.whole <= 0) continue;
    for (const std::string& name : {setting_of(run), run.experiment, std::string()}) {
      Known& k = known[name];
      k.seconds += run.whole;
      k.total += static_cast<double>(run.total);
      ++k.runs;
    }
  }
  for (RunTime& run : runs) {
    if (!std::isnan(run.left)) continue;
    if (const auto same = known.find(setting_of(run)); same != known.end()) {
      run.left = same->second.seconds / same->second.runs;
      continue;
    }
    for (const std::string& name : {run.experiment, std::string()})
      if (const auto alike = known.find(name); std::isnan(run.left) && alike != known.end() && alike->second.total > 0)
        run.left = alike->second.seconds / alike->second.total * static_cast<double>(run.total);
  }
}

double seconds_left(std::span<const RunTime> runs, int side_by_side) {
  double sum = 0, longest = 0;
  for (const RunTime& run : runs) {
    sum += run.left;
    longest = std::max(longest, run.left);
  }
  if (sum == 0 || std::isnan(sum)) return sum;
  return side_by_side < 1 ? std::nan("") : std::max(longest, sum / side_by_side);
}

}  // namespace goalpost
