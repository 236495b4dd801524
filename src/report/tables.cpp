// Making the tables, and putting them between their markers.
#include "report/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "core/data_path.h"
#include "report/figure_config.h"
#include "report/record.h"
#include "report/text_table.h"
#include "run/experiment.h"
#include "run/run_result.h"
#include "storage/file.h"

namespace goalpost {
namespace {

using nlohmann::ordered_json;

// Between these markers stand tables of what is recorded: of all experiments (results_table), of those that the marker
// names, with all their settings (page_table: "<!-- results of NAME NAME ... (written by"), or of single settings
// (short_table: "<!-- results in short: NAME NAME/VARIANT ... (written by").
constexpr char kTableBegin[] = "<!-- results: begin (written by `goalpost report --record`) -->";
constexpr char kPageTableBegin[] = "<!-- results of ";
constexpr char kShortTableBegin[] = "<!-- results in short: ";
constexpr char kWrittenBy[] = " (written by `goalpost report --record`) -->";
constexpr char kTableEnd[] = "<!-- results: end -->";

std::string short_count(double n) {
  return n < 1e6 ? fmt::format("{:.1f} k", n / 1e3) : fmt::format("{:.2f} M", n / 1e6);
}

// "0.250 [0.210, 0.295]" of a recorded setting, or "0.250 -" if the interval is unknown. One of one seed is over its
// episodes, and marked as that; the number of episodes of each seed is told where it is another than the tables' usual
// one.
std::string measured_text(const ordered_json& setting) {
  constexpr int kUsual = 1000;  // of train.final_eval_episodes; the text below the tables names it
  std::set<int> episodes;
  for (const ordered_json& seed : setting.at("seeds")) episodes.insert(seed.at("episodes_evaluated").get<int>());
  const ordered_json& interval = setting.at("interval_95");
  const double unknown = std::nan(""), low = interval.is_null() ? unknown : interval.at(0).get<double>(),
               high = interval.is_null() ? unknown : interval.at(1).get<double>();
  std::string text =
      fmt::format("{:.3f} {}{}", setting.at("interquartile_mean").get<double>(), interval_text(low, high, 3),
                  setting.at("seeds").size() == 1 && !interval.is_null() ? "¹" : "");
  if (episodes != std::set{kUsual}) text += fmt::format(", {} episodes", fmt::join(episodes, " or "));
  return text;
}

double mean_steps(const ordered_json& setting) {
  double steps = 0;
  const ordered_json& seeds = setting.at("seeds");
  for (const ordered_json& seed : seeds) steps += seed.at("steps").get<double>() / static_cast<double>(seeds.size());
  return steps;
}

}  // namespace

std::string summary_table(const std::vector<Summary>& summaries, std::size_t width) {
  std::vector<std::vector<std::string>> rows = {
      {"experiment", "variant", "seeds", "measured", "95 % interval", "steps", "expected"}};
  for (const Summary& s : summaries) {
    const MeasuredRun& first = *s.runs.front();
    rows.push_back(
        {s.experiment, s.setting(), std::to_string(s.runs.size()),
         fmt::format("{} {:.3f}", first.measures_return() ? "return" : "success", s.value),
         interval_text(s.low, s.high, 3), fmt::format("{:.0f}", s.steps),
         first.expected ? fmt::format(">= {} {}", *first.expected, s.meets_expectation ? "met" : "MISSED") : ""});
  }
  return text_table(rows, 2, width);
}

std::vector<std::filesystem::path> documents_with_tables() {
  std::vector<std::filesystem::path> list = {data_path("README.md")};
  for (const auto& entry : std::filesystem::directory_iterator(experiment_directory()))
    if (entry.path().extension() == ".md" && entry.is_regular_file()) list.push_back(entry.path());
  std::sort(list.begin() + 1, list.end());
  return list;
}

std::string with_tables(std::string text) {
  const auto put = [&](std::size_t from, const std::string& table) {  // instead of what stands before the next end
    const std::size_t end = text.find(kTableEnd, from);
    if (end == std::string::npos) throw std::runtime_error(fmt::format("a table of results has no {}", kTableEnd));
    text.replace(from, end - from, "\n" + table);
  };
  if (const std::size_t begin = text.find(kTableBegin); begin != std::string::npos)
    put(begin + sizeof(kTableBegin) - 1, results_table());
  const auto put_named = [&](std::string_view marker, const auto& table) {  // of what the marker names
    for (std::size_t begin = 0; (begin = text.find(marker, begin)) != std::string::npos;) {
      begin += marker.size();
      const std::size_t end = text.find(kWrittenBy, begin);
      if (end == std::string::npos) throw std::runtime_error(fmt::format("a table of results has no{}", kWrittenBy));
      std::istringstream names(text.substr(begin, end - begin));
      put(end + sizeof(kWrittenBy) - 1, table({std::istream_iterator<std::string>(names), {}}));
    }
  };
  put_named(kPageTableBegin, page_table);
  put_named(kShortTableBegin, short_table);
  return text;
}

void renew_tables() {
  for (const std::filesystem::path& document : documents_with_tables())
    write_file_atomically(document, with_tables(read_file(document)));
}

std::string page_table(const std::vector<std::string>& experiments) {
  std::string text =
      "| experiment | what it is | seeds | env steps | IQM [95 % interval] | lowest seed | lowest seed by category |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const std::string& name : experiments) {
    const std::filesystem::path file = results_directory() / name / "summary.json";
    if (!std::filesystem::exists(file)) {
      text += fmt::format("| `{}` | not recorded | | | | | |\n", name);
      continue;
    }
    const ordered_json summary = ordered_json::parse(read_file(file));
    for (const ordered_json& s : summary.at("settings")) {
      const std::string measure = s.at("measure"), variant = s.at("variant");
      double lowest = std::numeric_limits<double>::infinity();
      std::vector<Evaluation::Category> kinds;  // with the success of the lowest seed
      for (const ordered_json& seed : s.at("seeds")) {
        lowest = std::min(lowest, seed.at(measure).get<double>());
        const std::vector<Evaluation::Category> of_seed = categories_of(seed);
        if (kinds.empty()) kinds = of_seed;
        for (std::size_t i = 0; i < std::min(kinds.size(), of_seed.size()); ++i)
          kinds[i].success = std::fmin(kinds[i].success, of_seed[i].success);
      }
      std::string by_kind;
      for (const Evaluation::Category& k : kinds)
        by_kind += fmt::format("{}{} {}", by_kind.empty() ? "" : ", ", k.name,
                               std::isnan(k.success) ? "none" : fmt::format("{:.2f}", k.success));
      text +=
          fmt::format("| [`{0}`]({0}.toml){1} | {2} | {3} | {4} | {5} | {6:.3f} | {7} |\n", name,
                      variant.empty() ? "" : " with `" + variant + "`", make_experiment(load_experiment(name)).label,
                      s.at("seeds").size(), short_count(mean_steps(s)), measured_text(s), lowest, by_kind);
    }
  }
  return text;
}

std::string short_table(const std::vector<std::string>& settings) {
  std::string text =
      "| experiment | method | seeds | measured: IQM [95 % interval] | env steps | the source reports |\n"
      "|---|---|---|---|---|---|\n";
  for (const std::string& setting : settings) {
    const std::size_t slash = setting.find('/');
    const std::string name = setting.substr(0, slash), variant = slash == setting.npos ? "" : setting.substr(slash + 1);
    const std::filesystem::path file = results_directory() / name / "summary.json";
    std::string row = fmt::format("| `{}` | not recorded | | | | |\n", setting);
    if (std::filesystem::exists(file)) {
      const ordered_json summary = ordered_json::parse(read_file(file));
      for (const ordered_json& s : summary.at("settings"))
        if (s.at("variant") == variant)
          row = fmt::format("| [`{0}`](src/experiments/{0}.toml){1} | {2} | {3} | {4} {5} | {6} | {7} |\n", name,
                            variant.empty() ? "" : ", `" + variant + "`", make_experiment(load_experiment(name)).label,
                            s.at("seeds").size(), s.at("measure").get<std::string>(), measured_text(s),
                            short_count(mean_steps(s)), summary.at("claim").get<std::string>());
    }
    text += row;
  }
  return text;
}

std::string results_table() {
  std::string text =
      "| row | experiment | setting | seeds | IQM [95 % interval] | env steps | expected |\n"
      "|---|---|---|---|---|---|---|\n";
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(results_directory()))
    for (const auto& entry : std::filesystem::directory_iterator(results_directory()))
      if (std::filesystem::exists(entry.path() / "summary.json")) files.push_back(entry.path() / "summary.json");
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    const ordered_json summary = ordered_json::parse(read_file(file));
    const std::string name = summary.at("experiment");
    const std::set<std::string> axes = axes_of(name);
    int single = 0, changed = 0;
    for (const ordered_json& s : summary.at("settings")) {
      const std::string variant = s.at("variant");
      const bool on_axis =
          variant.find(',') == std::string::npos && axes.contains(variant.substr(0, variant.find('=')));
      if (!variant.empty() && !on_axis) {  // told beside the experiment: here they would bury the results
        ++changed;
        continue;
      }
      const std::size_t seeds = s.at("seeds").size();
      if (seeds < 2 && on_axis) {  // single runs fill a figure; they are no measurement of their own
        ++single;
        continue;
      }
      const ordered_json& expected = s.at("expected");
      const std::string measure = s.at("measure");
      text += fmt::format("| {} | `{}` | {} | {} | {} {} | {} | {} |\n", summary.at("row").get<std::string>(), name,
                          variant, seeds, measure, measured_text(s), short_count(mean_steps(s)),
                          expected.is_null() ? "" : fmt::format(">= {}", expected.get<double>()));
    }
    if (single > 0)
      text += fmt::format("| {} | `{}` | {} more settings, one seed each | 1 | in the figure | | |\n",
                          summary.at("row").get<std::string>(), name, single);
    if (changed > 0)
      text += fmt::format("| {0} | `{1}` | {2} variant{3}, described in [{1}.toml]({1}.toml) | | | | |\n",
                          summary.at("row").get<std::string>(), name, changed, changed == 1 ? "" : "s");
  }
  return text;
}

}  // namespace goalpost
