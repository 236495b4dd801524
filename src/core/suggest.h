// Looking names up, with a suggestion when there is none: for registries, configuration keys and enumerations.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"

namespace goalpost {

/// A candidate that begins with name, or the one with the fewest insertions, deletions, replacements and swaps away
/// from name, if close enough to be a slip; otherwise empty.
std::string_view nearest_name(std::string_view name, const std::vector<std::string_view>& candidates);

/// "; did you mean X?" or, if nothing is near, nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates);

/// The entry of a table with this name. @throws UsageError with the nearest name, or with where to find a list
template <class Entries>
const auto& find_by_name(const Entries& entries, std::string_view name, std::string_view kind, std::string_view list) {
  std::vector<std::string_view> names;
  for (const auto& entry : entries) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  std::string hint = did_you_mean(name, names);
  if (hint.empty()) hint = detail::concatenate("; `", list, "` shows them all");
  throw UsageError(detail::concatenate("no ", kind, " is called \"", name, "\"", hint));
}

}  // namespace goalpost
