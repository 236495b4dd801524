// Looking names up, with a suggestion when there is none, and adding them: for registries, configuration keys and
// enumerations.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"

namespace goalpost {

/// A candidate that begins with name, or the one with the fewest insertions, deletions, replacements and swaps away
/// from name, if close enough to be a slip; otherwise empty. Case does not count, nor whether words are joined by - or
/// _.
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

/// Adds an entry to a list that is sorted by name. @throws std::invalid_argument if its name is empty or taken
template <class Entries, class Entry>
void add_by_name(Entries& entries, Entry entry, std::string_view kind) {
  GP_CHECK(!entry.name.empty(), "an ", kind, " without a name; expected a name");
  const auto at = std::lower_bound(entries.begin(), entries.end(), entry.name,
                                   [](const auto& e, const auto& name) { return e.name < name; });
  GP_CHECK(at == entries.end() || at->name != entry.name, "there is an ", kind, " called \"", entry.name,
           "\" already; expected another name");
  entries.insert(at, std::move(entry));
}

}  // namespace goalpost
