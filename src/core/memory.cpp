#include "core/memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>

#include "core/check.h"

namespace goalpost {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::uint64_t difference(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? kMost : result;
}

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? kMost : result;
}

// The number at the beginning of a text; none for "max" and the like.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return number(line);
}

// The number behind a name at a line's beginning, e.g. of /proc/meminfo or memory.stat.
std::optional<std::uint64_t> number_of(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name)) return number(std::string_view(line).substr(name.size()));
  return std::nullopt;
}

void take_smaller(MemoryLimit& limit, std::uint64_t bytes, const std::string& source) {
  if (bytes < limit.bytes) limit = {bytes, source};
}

// What one control group has left; its file cache can be taken back.
struct GroupFiles {
  const char *most, *used, *stat, *cache;
};
constexpr GroupFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat",
                                  "total_inactive_file "};
constexpr GroupFiles kVersion2 = {"memory.max", "memory.current", "memory.stat", "inactive_file "};

// The group and all above it, up to the mount point. Inside a container the path of the group may not be there, but
// the mount point is the group then.
void take_groups(MemoryLimit& limit, const fs::path& mount, const fs::path& group, const GroupFiles& files) {
  fs::path relative = group.relative_path();
  for (;;) {
    const fs::path here = relative.empty() ? mount : mount / relative;
    if (const auto most = number_in(here / files.most)) {
      const std::uint64_t used = number_in(here / files.used).value_or(0);
      const std::uint64_t cache = number_of(here / files.stat, files.cache).value_or(0);
      take_smaller(limit, difference(*most, difference(used, cache)),
                   detail::concatenate("the control group's ", files.most));
    }
    if (relative.empty()) return;
    relative = relative.parent_path();
  }
}

void take_control_groups(MemoryLimit& limit, const fs::path& root) {
  const fs::path mount = root / "sys/fs/cgroup";
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {  // number:controllers:path
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = detail::concatenate(',', line.substr(first + 1, second - first - 1), ',');
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") take_groups(limit, mount, path, kVersion2);
    if (controllers.find(",memory,") != std::string::npos) take_groups(limit, mount / "memory", path, kVersion1);
  }
}

void take_resource_limit(MemoryLimit& limit, int resource, const fs::path& status, const char* used, const char* name) {
  rlimit r{};
  if (getrlimit(static_cast<__rlimit_resource_t>(resource), &r) != 0 || r.rlim_cur == RLIM_INFINITY) return;
  take_smaller(limit, difference(r.rlim_cur, product(number_of(status, used).value_or(0), 1024)), name);
}

}  // namespace

MemoryLimit memory_left(const std::string& directory) {
  const fs::path root = directory;
  MemoryLimit limit{kMost, "no limit"};
  const fs::path info = root / "proc/meminfo", status = root / "proc/self/status";
  if (const auto available = number_of(info, "MemAvailable:"))
    take_smaller(limit, product(sum(*available, number_of(info, "SwapFree:").value_or(0)), 1024), "available memory");
  take_control_groups(limit, root);
  take_resource_limit(limit, RLIMIT_AS, status, "VmSize:", "RLIMIT_AS, ulimit -v");
  take_resource_limit(limit, RLIMIT_DATA, status, "VmData:", "RLIMIT_DATA, ulimit -d");
  return limit;
}

void MemoryNeed::add(std::string_view part, std::uint64_t bytes_each, std::uint64_t count) {
  const std::uint64_t bytes = product(bytes_each, count);
  total_ = sum(total_, bytes);
  if (bytes == 0) return;
  for (Part& p : parts_)
    if (p.name == part) {
      p.bytes = sum(p.bytes, bytes);
      return;
    }
  parts_.push_back({std::string(part), bytes});
}

void MemoryNeed::multiply(std::uint64_t count) {
  total_ = 0;
  for (Part& p : parts_) total_ = sum(total_, p.bytes = product(p.bytes, count));
}

std::string MemoryNeed::problem(const MemoryLimit& limit) const {
  if (total_ <= limit.bytes) return "";
  std::vector<Part> parts = parts_;
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.bytes > b.bytes; });
  std::string list;
  for (const Part& p : parts) list += detail::concatenate(list.empty() ? "" : ", ", p.name, " ", format_bytes(p.bytes));
  return detail::concatenate("needs ", format_bytes(total_), " of memory (", list, "), but only ",
                             format_bytes(limit.bytes), " are left (", limit.source, ")");
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return detail::concatenate(bytes, " bytes");
  constexpr std::array kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.1f %s", value, kUnits[unit]);
  return text.data();
}

}  // namespace goalpost
