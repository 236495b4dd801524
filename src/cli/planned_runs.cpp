#include "cli/planned_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <optional>
#include <set>

#include "cli/options.h"
#include "core/check.h"
#include "core/number.h"
#include "report/collect.h"
#include "run/experiment.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

constexpr std::int64_t kMostSeeds = 1000;  // of one command
constexpr std::size_t kLongest = 160;      // bytes of a directory's name, of which 255 are possible

// Collects the runs of experiments with settings; no two may be the same.
class Runs {
 public:
  Runs(const RunRequest& request, std::vector<std::int64_t> seeds, std::filesystem::path out)
      : request_(request), seeds_(std::move(seeds)), out_(std::move(out)) {}

  // @param setting names the runs; @param set the assignments of the figure
  void add(const std::string& experiment, const std::string& setting, const std::vector<std::string>& set,
           std::size_t list = 0) {
    if (list < request_.lists.size()) {
      for (const std::string& assignment : request_.lists[list]) {
        std::vector<std::string> more = set;
        more.push_back(assignment);
        add(experiment, setting + (setting.empty() ? "" : ",") + assignment, more, list + 1);
      }
      return;
    }
    TomlValues all = load_experiment(experiment);
    std::vector<std::string> assignments = set;
    assignments.insert(assignments.end(), request_.set.begin(), request_.set.end());
    set_all(all, assignments);
    Experiment e = make_experiment(all);  // throws before any work if a setting is wrong
    const std::string config = e.to_toml();
    if (!configs_.insert(config).second)
      throw UsageError(fmt::format("{}: the setting \"{}\" is among others that are the same; expected each once",
                                   experiment, setting));
    std::string place = folder(setting);
    if (place.size() > kLongest) place = fmt::format("settings_{:016x}", std::hash<std::string>()(setting));
    for (const std::int64_t seed : seeds_)
      runs_.push_back({.experiment = e.name,
                       .setting = setting,
                       .seed = seed,
                       .directory = out_ / e.name / place / fmt::format("seed_{}", seed),
                       .config = config});
  }
  std::vector<PlannedRun> take() { return std::move(runs_); }

 private:
  const RunRequest& request_;
  std::vector<std::int64_t> seeds_;
  std::filesystem::path out_;
  std::set<std::string> configs_;
  std::vector<PlannedRun> runs_;
};

std::vector<std::string> all_assignments(const RunRequest& request) {
  std::vector<std::string> all = request.set;
  for (const std::vector<std::string>& list : request.lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

// @throws UsageError for what runs are told apart by
void check_set(const RunRequest& request) {
  for (const std::string& s : all_assignments(request)) {
    const std::string key = s.substr(0, s.find('='));
    if (key == "seed") throw UsageError(fmt::format("--set {}: --seeds says which seeds there are", s));
    if (key == "name")
      throw UsageError(fmt::format("--set {}: the runs are told apart by name; expected another setting", s));
  }
}

std::vector<std::int64_t> seeds_up_to(int count) {
  std::vector<std::int64_t> seeds(static_cast<std::size_t>(count));
  std::iota(seeds.begin(), seeds.end(), 1);
  return seeds;
}

// None for a text that is no list of seeds.
std::optional<std::vector<std::int64_t>> seeds_of(const char* option, const std::string& text) {
  std::vector<std::int64_t> seeds;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const std::size_t dash = part.find('-', 1);
    const std::optional<std::int64_t> first = exact_integer(part.substr(0, dash)),
                                      last = dash == part.npos ? first : exact_integer(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last > kMostSeed || *last < *first || *last - *first >= kMostSeeds)
      return std::nullopt;
    for (std::int64_t seed = *first; seed <= *last; ++seed) {
      if (std::find(seeds.begin(), seeds.end(), seed) != seeds.end())
        throw UsageError(fmt::format("{} {}; expected each seed once, but {} is there twice", option, text, seed));
      seeds.push_back(seed);
    }
    begin = end + 1;
  }
  return seeds;
}

}  // namespace

std::vector<PlannedRun> figure_runs(const FigureConfig& figure, const std::string& name, const RunRequest& request,
                                    const std::filesystem::path& out) {
  check_set(request);
  for (const std::string& s : all_assignments(request)) {
    const std::string key = s.substr(0, s.find('='));
    if (!figure.key.empty() && key == figure.key)
      throw UsageError(fmt::format("--set {}: {} is the x axis of {}; --values {} sets its points", s, figure.key, name,
                                   s.find('=') == s.npos ? "10,20" : s.substr(s.find('=') + 1)));
  }
  std::vector<std::string> values = !request.values.empty() ? request.values
                                    : request.quick         ? figure.quick_values
                                                            : figure.values;
  std::stable_sort(values.begin(), values.end(), [](const std::string& a, const std::string& b) {
    return std::atof(a.c_str()) > std::atof(b.c_str());
  });
  if (figure.key.empty()) {
    if (!request.values.empty())
      throw UsageError(fmt::format("--values: {} compares experiments and has no setting to vary", name));
    values = {""};
  }
  Runs runs(request, request.seeds.empty() ? seeds_up_to(figure.seeds) : request.seeds, out);
  for (const std::string& value : values)
    for (const std::string& experiment : figure.experiments) {
      std::vector<std::string> set;
      if (!figure.key.empty()) set = {fmt::format("{}={}", figure.key, value)};
      const std::string setting = set.empty() ? "" : set.front();
      if (request.quick) set.insert(set.end(), figure.quick_set.begin(), figure.quick_set.end());
      runs.add(experiment, setting, set);
    }
  return runs.take();
}

std::vector<PlannedRun> experiment_runs(const std::string& name, const RunRequest& request,
                                        const std::filesystem::path& out) {
  if (!request.values.empty() || request.quick)
    throw UsageError(fmt::format("{} is an experiment; --values and --quick are for figures", name));
  check_set(request);
  Runs runs(request, request.seeds.empty() ? seeds_up_to(5) : request.seeds, out);
  runs.add(name, "", {});
  return runs.take();
}

std::vector<std::int64_t> parse_seeds(const std::string& text) {
  const auto seeds = seeds_of("--seed", text);
  if (!seeds)
    throw UsageError(
        fmt::format("--seed {}; expected a seed, a range A-B of at most {} or a list A,B,...", text, kMostSeeds));
  return *seeds;
}

std::vector<std::int64_t> parse_seed_count(const std::string& text) {
  if (text.empty()) return {};
  if (const std::optional<std::int64_t> count = exact_integer(text); count && *count >= 1 && *count <= kMostSeeds)
    return seeds_up_to(static_cast<int>(*count));
  const auto seeds = exact_integer(text) ? std::nullopt : seeds_of("--seeds", text);
  if (!seeds)
    throw UsageError(
        fmt::format("--seeds {}; expected how many, 1 to {}, a range A-B or a list A,B,...", text, kMostSeeds));
  return *seeds;
}

}  // namespace goalpost
