// Putting the page together: figures, tables and the frame around them, page.html.
#include "report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "core/data_path.h"
#include "report/baseline.h"
#include "report/collect.h"
#include "report/comparison.h"
#include "report/figure.h"
#include "report/figure_config.h"
#include "report/measured_run.h"
#include "report/method_runs.h"
#include "report/page_figures.h"
#include "report/page_tables.h"
#include "report/plot.h"
#include "run/build_info.h"
#include "run/experiment.h"
#include "storage/file.h"

namespace goalpost {
namespace {

constexpr char kPageHtml[] = "src/report/page.html";
constexpr char kGenerator[] = "<meta name=\"generator\" content=\"goalpost report\">";

std::string data_link(std::string_view text) {
  std::string result = "data:text/csv;charset=utf-8,";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '.' || c == '-' || c == '_' || c == ',')
      result += c;
    else
      result += fmt::format("%{:02X}", byte);
  }
  return result;
}

// A page under construction: what is written so far, and the figures that are yet to be drawn into it.
class Page {
 public:
  void add(std::string_view html) { parts_.emplace_back(html); }
  void add(Figure figure) {
    if (figure.plot.name.empty()) return;
    std::string name = figure.plot.name;
    for (int i = 2; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", figure.plot.name, i);
    if (name != figure.plot.name) {  // the drawing reads its data by name
      const std::string from = fmt::format("'{}.csv'", figure.plot.name), to = fmt::format("'{}.csv'", name);
      for (std::size_t at = 0; (at = figure.plot.drawing.find(from, at)) != std::string::npos; at += to.size())
        figure.plot.drawing.replace(at, from.size(), to);
      figure.plot.name = name;
    }
    parts_.emplace_back();
    figures_.push_back({parts_.size() - 1, std::move(figure)});
  }
  /// A heading with an entry in the list of contents.
  void add_heading(int level, const std::string& text) {
    const std::string id = fmt::format("s{}", ++headings_);
    add(fmt::format("<h{0} id={1}>{2}</h{0}>\n", level, id, escaped(text)));
    contents_ += fmt::format("<li class=l{}><a href=\"#{}\">{}</a></li>\n", level, id, escaped(text));
  }
  const std::string& contents() const { return contents_; }
  std::string finish(const std::filesystem::path& directory, const std::optional<PdfFormat>& pdf) {
    std::vector<Plot> plots;
    for (const auto& [part, figure] : figures_) {
      write_file_atomically(directory / (figure.plot.name + ".csv"), figure.csv);
      plots.push_back(figure.plot);
    }
    if (!draw(plots, directory, "figures", pdf))
      throw UsageError(
          fmt::format("gnuplot could not draw the figures; {} says why", (directory / "figures.log").string()));
    for (const auto& [part, figure] : figures_) {
      std::string svg = read_file(directory / (figure.plot.name + ".svg"));
      svg.erase(0, svg.find("<svg"));
      const std::string& name = figure.plot.name;
      parts_[part] = fmt::format(
          "<figure style=\"max-width: {0}px\">\n<div class=scroll><div style=\"min-width: {1}px\">{2}</div></div>\n"
          "<figcaption>{3} <span class=\"links\"><a download=\"{4}.csv\" href=\"{5}\">data</a> · <a "
          "href=\"{4}.svg\">svg</a> · <a href=\"{4}.png\">png</a>{6}</span></figcaption>\n</figure>\n",
          figure.plot.width + 100, figure.plot.width * 9 / 10, svg, figure.caption, name, data_link(figure.csv),
          pdf ? fmt::format(" · <a href=\"{}.pdf\">pdf</a>", name) : "");
    }
    std::string text;
    for (const std::string& part : parts_) text += part;
    return text;
  }

 private:
  std::vector<std::string> parts_;
  std::vector<std::pair<std::size_t, Figure>> figures_;
  std::set<std::string> names_;
  std::string contents_;
  int headings_ = 0;
};

// The figures of papers of which the report holds at least two points, all with the same changes besides.
void add_paper_figures(Page& page, const std::vector<Summary>& summaries) {
  for (const auto& [name, config] : figures()) {
    if (!config.measures.empty()) continue;  // learning curves are drawn anyway
    std::vector<Summary> points;
    std::set<std::string> places;
    std::optional<std::string> besides;
    for (const Summary& s : summaries) {
      if (!s.finished() ||
          std::find(config.experiments.begin(), config.experiments.end(), s.experiment) == config.experiments.end())
        continue;
      std::string place = config.key.empty() ? s.experiment : "", rest;
      for (const Change& c : s.runs.front()->changes)
        (c.path == config.key ? place : rest) += fmt::format("{}={} ", c.path, c.value);
      rest += s.build;
      if (!besides) besides = rest;
      if (rest != *besides || place.empty()) continue;
      points.push_back(s);
      places.insert(place);
    }
    if (places.size() < 2) continue;
    MeasuredFigure m = measured_figure(config, points, "figure_" + name);
    std::string caption = fmt::format("Figure <code>{}</code> of <code>goalpost reproduce</code>. The paper: {}.", name,
                                      escaped(config.claim));
    for (std::size_t i = 0; i < m.solved.size(); ++i)
      if (m.solved[i].value_or(0) > 0)
        caption += fmt::format(
            " {}: largest {} solved (success at least 0.99) {}{}.", escaped(m.labels[i]), config.key, *m.solved[i],
            i < config.paper_limit.size() ? fmt::format(", in the paper {}", config.paper_limit[i]) : "");
    page.add_heading(2, config.title);
    m.plot.title.clear();
    page.add(Figure{m.plot, m.csv, caption});
  }
}

void add_env_group(Page& page, const EnvGroup& env_group, const PageOptions& options) {
  page.add_heading(2, fmt::format("{}: {}", env_group.env, env_group.measure()));
  if (!env_group.common.empty()) {
    std::string text;
    for (const Change& c : env_group.common)
      text += fmt::format("{}<code>{}={}</code>", text.empty() ? "" : ", ", c.path, escaped(c.value));
    page.add(fmt::format("<p>All runs differ from their experiments' files in {}.</p>\n", text));
  }
  page.add(sources_table(env_group));
  const std::vector<Panel> panels = panels_of(env_group);
  const std::string name = env_group.env + (env_group.returns ? "_return" : "");
  const bool any_finished = std::any_of(env_group.method_runs.begin(), env_group.method_runs.end(),
                                        [](const MethodRuns& m) { return m.finished(); });
  if (any_finished) page.add_heading(3, "Final performance");
  for (std::size_t i = 0; i < panels.size(); ++i)
    page.add(final_figure(env_group, panels[i], panels.size() > 1 ? fmt::format("{}_{}", name, i + 1) : name));
  page.add(final_table(env_group, false));
  if (many_seeds(env_group)) {
    const std::string single = final_table(env_group, true);
    if (!single.empty())
      page.add(
          fmt::format("<details><summary>Settings of a single seed (interval of a success rate: Wilson's, over its "
                      "episodes)</summary>{}</details>\n",
                      single));
  }
  page.add(seeds_table(env_group));
  page.add(categories_table(env_group));
  page.add(settings_table(env_group));
  for (const Panel& panel : panels)
    if (panel.title.empty()) page.add(pooled_table(env_group, panel));
  if (any_finished) {
    page.add_heading(3, "Learning speed");
    page.add(speed_table(env_group, options.threshold));
  }
  if (const std::vector<Comparison> pairs = comparisons(env_group); !pairs.empty()) {
    page.add_heading(3, "Probability of improvement");
    page.add(improvement_figure(pairs, name));
  }
  page.add_heading(3, "Learning curves");
  for (const Panel& panel : panels) {
    bool headed = panel.title.empty();
    for (const std::string& task : env_group.tasks) {
      const std::vector<const MethodRuns*> method_runs = shown(env_group, panel, task);
      if (method_runs.empty()) continue;
      if (!headed) page.add(fmt::format("<h4>{}</h4>\n", escaped(panel.title)));
      headed = true;
      const std::string title = task.empty() ? env_group.env : fmt::format("{}, {}", env_group.env, task);
      const bool hierarchical = !curves_of(*method_runs.front(), find_measure("lo_reward")).empty();
      page.add("<div class=row>\n");
      page.add(learning_figure(env_group, panel, method_runs, title, false));
      page.add(learning_figure(env_group, panel, method_runs, title, true));
      page.add(seeds_figure(env_group, panel, method_runs, title));
      for (const Measure& m : kMeasures)
        if (m.column == std::string_view("return") ? !env_group.returns : m.training != nullptr && hierarchical)
          page.add(measure_figure(m, panel, method_runs, fmt::format("{}_{}", m.column, title), title));
      page.add("</div>\n");
      if (const std::string note = carried_note(method_runs); !note.empty())
        page.add(fmt::format("<ul class=note>{}</ul>\n", note));
    }
  }
}

// A text with every {{name}} in it replaced by its value. @throws std::runtime_error for a name without a value
std::string filled(const std::string& text, const std::map<std::string, std::string>& values) {
  std::string result;
  std::size_t from = 0;
  for (std::size_t open; (open = text.find("{{", from)) != text.npos;) {
    const std::size_t close = text.find("}}", open);
    const std::string name = close == text.npos ? "" : text.substr(open + 2, close - open - 2);
    const auto value = values.find(name);
    if (value == values.end())
      throw std::runtime_error(fmt::format("{}: \"{}\" has no value", kPageHtml, text.substr(open, 40)));
    result += text.substr(from, open - from) + value->second;
    from = close + 2;
  }
  return result + text.substr(from);
}

std::string html(const std::string& page_html, const std::vector<Summary>& summaries,
                 const std::filesystem::path& directory, const PageOptions& options) {
  const std::vector<EnvGroup> env_groups = env_groups_of(summaries);
  Page page;
  std::size_t runs = 0;
  std::set<std::string> experiments;
  for (const Summary& s : summaries) {
    runs += s.runs.size();
    experiments.insert(s.experiment);
  }
  if (const std::string unfinished = unfinished_table(summaries); !unfinished.empty()) {
    page.add_heading(2, "Unfinished runs");
    page.add(unfinished);
  }
  if (!options.baseline.empty()) {
    page.add_heading(2, fmt::format("Compared with the baseline {}", options.baseline));
    page.add(improvements_table(compare_with_baseline(summaries, baseline_of(summaries, options.baseline))));
  }
  add_paper_figures(page, summaries);
  for (const EnvGroup& env_group : env_groups) add_env_group(page, env_group, options);
  page.add_heading(2, "Revision and processor");
  page.add(builds_table(summaries));
  page.add_heading(2, "How the numbers are made");
  std::string content = page.finish(directory, options.pdf);
  content.pop_back();  // the page ends the line
  return filled(page_html, {{"generator", kGenerator},
                            {"runs", plural(runs, "run")},
                            {"settings", plural(summaries.size(), "setting")},
                            {"experiments", plural(experiments.size(), "experiment")},
                            {"revision", escaped(BuildInfo::current().revision)},
                            {"contents", page.contents()},
                            {"content", content}});
}

}  // namespace

std::filesystem::path write_report_page(const std::vector<Summary>& summaries, const std::filesystem::path& directory,
                                        const PageOptions& options) {
  if (options.pdf) expect_pdf_terminal();
  if (!gnuplot_is_installed())
    throw UsageError("report --out: gnuplot, which draws the figures, is not installed (Debian: gnuplot-nox)");
  const std::string page_html = read_file(data_path(kPageHtml));
  const std::filesystem::path index = directory / "index.html";
  try {
    make_directories(directory);
    if (std::filesystem::exists(index) && read_file(index).find(kGenerator) == std::string::npos)
      throw UsageError(fmt::format("{} exists and is no report; it is left alone", index.string()));
    write_file_atomically(index, html(page_html, summaries, directory, options));
  } catch (const std::system_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(fmt::format("report --out {}: {}", directory.string(), e.what()));
  }
  return index;
}

}  // namespace goalpost
