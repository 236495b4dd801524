// Where goalpost's own files lie, found when they are needed: a tree that was moved or copied works on its own files.
#pragma once

#include <filesystem>

namespace goalpost {

/// The directory that holds src/experiments, envs/assets and src/report/page.html. $GOALPOST_DATA if it is set;
/// otherwise the nearest directory above the running program that holds them, itself or in share/goalpost: a source
/// tree above its build, or an installation prefix. @throws UsageError naming what was searched
std::filesystem::path data_directory();

/// The file or directory below data_directory().
std::filesystem::path data_path(const std::filesystem::path& relative);

/// data_directory(), if results can be recorded there: a source tree (it has README.md and meson.build) that can be
/// written. @throws UsageError saying which of it does not hold
std::filesystem::path writable_source_directory();

}  // namespace goalpost
