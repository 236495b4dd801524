// Bringing together the directories of one plan that was worked off on machines that share no files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "run/plan.h"

namespace goalpost {

/// What became of the runs of a plan.
struct Collected {
  int finished = 0, copied = 0;
  std::vector<std::string> missing;  ///< sentences, "bit_flip_her seed 3: interrupted"
  std::vector<std::string> notes;    ///< on what was left out
};

/// Copies the runs of all directories, which hold the same plan, into `out`, which holds it too or is new. Finished
/// runs come first, then those with most steps; what is there already stays. A run appears whole or not at all.
/// @param mixed also runs of builds or processors whose bits may differ
/// @throws UsageError naming the difference if the plans are not the same, finished runs of several builds are among
/// them, or two finished runs of one seed have other results
Collected merge_plans(const std::vector<std::filesystem::path>& directories, const std::filesystem::path& out,
                      bool mixed);

}  // namespace goalpost
