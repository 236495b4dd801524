#include "core/suggest.h"

#include <algorithm>
#include <cctype>

namespace goalpost {
namespace {

// Without regard to case, and to whether words are joined by - or _.
char plain(char c) { return c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
bool same(char a, char b) { return plain(a) == plain(b); }

bool begins_with(std::string_view text, std::string_view begin) {
  return text.size() >= begin.size() && std::equal(begin.begin(), begin.end(), text.begin(), same);
}

// Damerau-Levenshtein distance (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1)});
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string_view nearest_name(std::string_view name, const std::vector<std::string_view>& candidates) {
  std::string_view best, whole;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    if (name.size() >= 3 && begins_with(candidate, name)) {  // a name without its version, or cut short
      // Of several versions the last: FetchReach-v4 before FetchReach-v3, and both before FetchReachDense-v4.
      if (whole.empty() || (candidate.size() == whole.size() &&
                            candidate.substr(0, candidate.size() - 1) == whole.substr(0, whole.size() - 1)))
        whole = candidate;
      continue;
    }
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < best_distance && distance < std::max(name.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  return whole.empty() ? best : whole;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates) {
  const std::string_view near = nearest_name(name, candidates);
  return near.empty() ? "" : detail::concatenate("; did you mean ", near, "?");
}

}  // namespace goalpost
