#include "core/processors.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <thread>

namespace goalpost {

int detail::control_group_processors(const std::string& self, const std::string& root) {
  double least = std::numeric_limits<int>::max();
  const auto limit = [&](double quota, double period) {
    if (quota > 0 && period > 0) least = std::min(least, quota / period);
  };
  const auto look = [&](const std::filesystem::path& group) {
    std::string quota;
    double period = 0;
    if (std::ifstream in(group / "cpu.max"); in >> quota >> period && quota != "max")
      limit(std::strtod(quota.c_str(), nullptr), period);
    double micros = 0;
    std::ifstream quotas(group / "cpu.cfs_quota_us"), periods(group / "cpu.cfs_period_us");
    if (quotas >> micros && periods >> period) limit(micros, period);
  };
  std::istringstream lines(self);  // 4:cpu,cpuacct:/group of version 1, 0::/group of version 2
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    std::string controllers(1, ',');
    controllers.append(line, first + 1, second - first - 1).push_back(',');
    const bool version_2 = controllers == ",,";
    if (!version_2 && controllers.find(",cpu,") == controllers.npos) continue;
    // Every group above sets a limit too. Within a container the names may be those of the host.
    const std::filesystem::path top = version_2 ? std::filesystem::path(root) : std::filesystem::path(root) / "cpu";
    std::filesystem::path group = std::filesystem::path(line.substr(second + 1)).relative_path();
    for (; !group.empty(); group = group.parent_path()) look(top / group);
    look(top);
  }
  return least >= std::numeric_limits<int>::max() ? std::numeric_limits<int>::max()
                                                  : std::max(1, static_cast<int>(least));
}

int usable_processors() {
  int processors = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  // More processors than a cpu_set_t names need a larger set.
  for (int most = 1024; most <= 1 << 20; most *= 4) {
    cpu_set_t* set = CPU_ALLOC(most);
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(most);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    if (known) processors = CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    if (known) break;
  }
  std::ifstream in("/proc/self/cgroup");
  const std::string self{std::istreambuf_iterator<char>(in), {}};
  return std::max(1, std::min(processors, detail::control_group_processors(self, "/sys/fs/cgroup")));
}

}  // namespace goalpost
