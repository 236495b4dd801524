#pragma once

#include <string>

namespace goalpost {

/// How many processors this process may use: those of its affinity, at most the limit of its control groups, at
/// least 1.
int usable_processors();

namespace detail {
/// The limit of control groups (version 2: cpu.max; 1: cpu.cfs_quota_us), rounded down; the largest int if there is
/// none.
/// @param self what /proc/self/cgroup holds @param root where the groups are mounted, /sys/fs/cgroup
int control_group_processors(const std::string& self, const std::string& root);
}  // namespace detail

}  // namespace goalpost
