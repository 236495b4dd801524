#include "report/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "core/text.h"
#include "report/comparison.h"
#include "report/figure.h"
#include "report/plot.h"
#include "report/report_figures.h"
#include "report/statistics.h"
#include "storage/file.h"

namespace goalpost {
namespace {

constexpr char kGenerator[] = "<meta name=\"generator\" content=\"goalpost report\">";

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else
      result += c;
  }
  return result;
}

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

// 1,800,000
std::string thousands(double count) {
  const std::string digits = fmt::format("{:.0f}", count);
  std::string result;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') result += ',';
    result += digits[i];
  }
  return result;
}

int digits(const Family& family) { return family.returns ? 2 : 3; }

// What a reader must know about seeds that ended early or were evaluated at other steps.
std::string carried_note(const std::vector<const Group*>& groups) {
  std::string text;
  for (const Group* g : groups) {
    double first = std::numeric_limits<double>::infinity(), last = 0;
    bool same_steps = true;
    for (const Curve& c : g->by_step) {
      first = std::min(first, c.x.back());
      last = std::max(last, c.x.back());
      const std::size_t common = std::min(c.x.size(), g->by_step.front().x.size());
      same_steps = same_steps && std::equal(c.x.begin(), c.x.begin() + static_cast<std::ptrdiff_t>(common),
                                            g->by_step.front().x.begin());
    }
    const auto stopped =
        static_cast<std::size_t>(std::count_if(g->summary->runs.begin(), g->summary->runs.end(),
                                               [](const FinishedRun* run) { return run->result.end == "success"; }));
    if (stopped == 0 && first == last && same_steps) continue;
    text += fmt::format("<li>{}: ", escaped(g->label));
    if (stopped > 0)
      text += fmt::format("{} of {} ended early at train.stop_success", stopped, plural(g->seeds(), "seed"));
    if (first != last)
      text += fmt::format("{}last evaluations at {} to {} steps, carried forward until the last one",
                          stopped > 0 ? ", " : "", thousands(first), thousands(last));
    if (!same_steps)
      text += fmt::format("{}evaluated at different steps, the last value holds until the next",
                          stopped > 0 || first != last ? "; " : "");
    text += "</li>";
  }
  return text;
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
  std::string finish(const std::filesystem::path& directory) {
    std::vector<Plot> plots;
    for (const auto& [part, figure] : figures_) {
      write_file_atomically(directory / (figure.plot.name + ".csv"), figure.csv);
      plots.push_back(figure.plot);
    }
    if (!draw(plots, directory, "figures"))
      throw UsageError(
          fmt::format("gnuplot could not draw the figures; {} says why", (directory / "figures.log").string()));
    for (const auto& [part, figure] : figures_) {
      std::string svg = read_file(directory / (figure.plot.name + ".svg"));
      svg.erase(0, svg.find("<svg"));
      const std::string& name = figure.plot.name;
      parts_[part] = fmt::format(
          "<figure style=\"max-width: {0}px\">\n{1}\n<figcaption>{2} <span class=\"links\"><a download=\"{3}.csv\" "
          "href=\"{4}\">data</a> · <a href=\"{3}.svg\">svg</a> · <a href=\"{3}.png\">png</a></span></figcaption>\n"
          "</figure>\n",
          figure.plot.width + 100, svg, figure.caption, name, data_link(figure.csv));
    }
    std::string text;
    for (const std::string& part : parts_) text += part;
    return text;
  }

 private:
  std::vector<std::string> parts_;
  std::vector<std::pair<std::size_t, Figure>> figures_;
  std::set<std::string> names_;
};

double mean_over(const Group& g, double (*value)(const RunResult&)) {
  double sum = 0;
  for (const FinishedRun* run : g.summary->runs) sum += value(run->result);
  return sum / static_cast<double>(g.seeds());
}

std::string final_table(const Family& family, bool single_seeds) {
  std::string rows;
  for (const std::string& task : family.tasks) {
    for (const Group& g : family.groups) {
      if (g.task != task || (many_seeds(family) && (g.seeds() == 1) != single_seeds)) continue;
      const Summary& s = *g.summary;
      const FinishedRun& first = g.first();
      rows += fmt::format(
          "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{} {}</td>"
          "<td>{}</td><td class=n>{:.3f}</td><td class=n>{:.3f}</td><td class=n>{:.2f}</td><td class=n>{:.1f}</td>"
          "<td class=n>{}</td><td class=n>{}</td><td class=n>{}</td></tr>\n",
          escaped(s.experiment), escaped(g.label), escaped(task), g.seeds(),
          fmt::format("{:.{}f}", s.value, digits(family)), interval_text(s.low, s.high, digits(family)),
          first.expected
              ? fmt::format("at least {}: {}", *first.expected, s.meets_expectation ? "met" : "<strong>missed</strong>")
              : "",
          mean_over(g, [](const RunResult& r) { return r.final.success; }),
          mean_over(g, [](const RunResult& r) { return r.final.success_any; }),
          mean_over(g, [](const RunResult& r) { return r.final.reward; }),
          mean_over(g, [](const RunResult& r) { return r.final.length; }),
          thousands(mean_over(g, [](const RunResult& r) { return static_cast<double>(r.progress.step); })),
          thousands(mean_over(g, [](const RunResult& r) { return static_cast<double>(r.progress.updates); })),
          format_duration(mean_over(g, [](const RunResult& r) { return r.progress.wall_seconds; })));
    }
  }
  if (rows.empty()) return "";
  return fmt::format(
      "<div class=table><table>\n<tr><th>experiment</th><th>method or change</th><th>task</th><th>seeds</th>"
      "<th>{}: IQM [95 %]</th><th>expected</th><th>success, last step</th><th>success, any step</th><th>return</th>"
      "<th>length</th><th>env steps</th><th>updates</th><th>wall time</th></tr>\n{}</table></div>\n",
      family.measure(), rows);
}

std::string seeds_table(const Family& family) {
  std::string rows;
  for (const std::string& task : family.tasks)
    for (const Group& g : family.groups) {
      if (g.task != task) continue;
      for (const FinishedRun* run : g.summary->runs) {
        const RunResult& r = run->result;
        rows += fmt::format(
            "<tr><td><code>{}</code></td><td>{}</td><td class=n>{}</td><td class=n>{:.3f}</td><td class=n>{:.3f}</td>"
            "<td class=n>{:.2f}</td><td class=n>{:.1f}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td>"
            "<td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escaped(run->experiment.name), escaped(g.summary->setting()), r.seed, r.final.success, r.final.success_any,
            r.final.reward, r.final.length, thousands(static_cast<double>(r.progress.step)),
            thousands(static_cast<double>(r.progress.updates)), format_duration(r.progress.wall_seconds),
            r.end == "success" ? "train.stop_success" : "all steps done", escaped(r.revision), escaped(r.cpu));
      }
    }
  return fmt::format(
      "<details><summary>Every seed</summary><div class=table><table>\n<tr><th>experiment</th><th>setting</th>"
      "<th>seed</th><th>success, last step</th><th>success, any step</th><th>return</th><th>length</th>"
      "<th>env steps</th><th>updates</th><th>wall time</th><th>ended by</th><th>revision</th><th>processor</th></tr>\n"
      "{}</table></div></details>\n",
      rows);
}

// Success by kind of episode (EnvSpec::kinds); nothing if no environment tells kinds apart.
std::string kinds_table(const Family& family) {
  std::string rows;
  for (const Group& g : family.groups) {
    const FinishedRun& first = *g.summary->runs.front();
    for (const Evaluation::Kind& kind : first.result.final.kinds) {
      int seeds = 0, episodes = 0;
      double mean = 0, lowest = std::numeric_limits<double>::infinity();
      for (const FinishedRun* run : g.summary->runs)
        for (const Evaluation::Kind& k : run->result.final.kinds) {
          if (k.name != kind.name || k.episodes == 0) continue;
          ++seeds;
          episodes += k.episodes;
          mean += (k.success - mean) / seeds;
          lowest = std::min(lowest, k.success);
        }
      const auto shown = [&](double value) { return seeds == 0 ? "none" : fmt::format("{:.3f}", value); };
      rows += fmt::format(
          "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td>"
          "<td class=n>{}</td></tr>\n",
          escaped(first.experiment.name), escaped(g.summary->setting()), escaped(kind.name), seeds, episodes,
          shown(mean), shown(lowest));
    }
  }
  if (rows.empty()) return "";
  return fmt::format(
      "<details><summary>Success by kind of episode</summary><div class=table><table>\n<tr><th>experiment</th>"
      "<th>setting</th><th>kind</th><th>seeds</th><th>episodes</th><th>success, mean over seeds</th>"
      "<th>lowest seed</th></tr>\n{}</table></div></details>\n",
      rows);
}

// Success rates of several tasks are on one scale and can be pooled; returns are not.
std::string pooled_table(const Family& family, const Chunk& chunk) {
  std::string rows;
  for (const std::string& method : chunk.methods) {
    Strata tasks;
    std::string label;
    std::size_t runs = 0;
    for (const Group& g : family.groups)
      if (g.method == method && g.seeds() > 1) {
        tasks.push_back(g.values());
        label = g.label;
        runs += g.seeds();
      }
    if (tasks.size() < 2) continue;
    const Interval i = stratified_bootstrap_interval(tasks, pooled_interquartile_mean);
    rows += fmt::format(
        "<tr><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{:.3f} [{:.3f}, {:.3f}]</td></tr>\n",
        escaped(label), tasks.size(), runs, pooled_interquartile_mean(tasks), i.low, i.high);
  }
  if (rows.empty() || family.returns) return "";
  return fmt::format(
      "<h3>Over all tasks</h3>\n<p>Runs of all tasks with several seeds in one pool; runs are resampled within each "
      "task.</p>"
      "<div class=table><table>\n<tr><th>method</th><th>tasks</th><th>runs</th><th>success rate: IQM [95 %]</th></tr>\n"
      "{}</table></div>\n",
      rows);
}

std::string sources_table(const Family& family) {
  std::string rows;
  std::set<std::string> told;
  for (const Group& g : family.groups) {
    if (!told.insert(g.summary->experiment).second) continue;
    const FinishedRun& first = g.first();
    const SourceConfig& source = first.experiment.source;
    if (source.paper.empty() && source.claim.empty()) continue;
    std::size_t met = 0, expected = 0;
    for (const Group& other : family.groups)
      if (other.summary->experiment == g.summary->experiment && other.first().expected) {
        ++expected;
        met += other.summary->meets_expectation ? 1 : 0;
      }
    rows += fmt::format(
        "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(g.summary->experiment), escaped(source.row), escaped(source.paper), escaped(source.claim),
        expected == 0 ? "nothing is expected"
                      : fmt::format("{} at least {}: met by {} of {}", family.returns ? "return" : "success",
                                    family.returns ? *source.expected_return : source.expected_success, met,
                                    plural(expected, "setting")));
  }
  if (rows.empty()) return "";
  return "<h3>What the sources say, and what is expected here</h3>\n<div class=table><table>\n<tr><th>experiment</th>"
         "<th>row</th><th>source</th><th>its claim</th><th>expected here</th></tr>\n" +
         rows + "</table></div>\n";
}

std::string settings_table(const Family& family) {
  std::vector<std::string> experiments;
  std::vector<Fields> fields;
  std::set<std::string> axes;
  for (const Group& g : family.groups) {
    for (const Change& c : g.first().changes)
      if (on_axis(c)) axes.insert(c.path);
    if (std::find(experiments.begin(), experiments.end(), g.summary->experiment) != experiments.end()) continue;
    experiments.push_back(g.summary->experiment);
    fields.push_back(fields_without_changes(g.first(), family.common));
  }
  if (experiments.size() < 2) return "";
  std::set<std::string> paths;
  for (const Fields& f : fields)
    for (const auto& [path, value] : f) paths.insert(path);
  std::string rows;
  for (const std::string& path : paths) {
    std::set<std::string> values;
    std::string cells;
    for (const Fields& f : fields) {
      const auto it = f.find(path);
      std::string value = it == f.end() ? "–" : it->second.empty() ? "none" : it->second;
      std::erase(value, '"');
      values.insert(value);
      cells += fmt::format("<td>{}</td>", escaped(value));
    }
    if (values.size() > 1 && !axes.contains(path))
      rows += fmt::format("<tr><td><code>{}</code></td>{}</tr>\n", path, cells);
  }
  if (rows.empty()) return "";
  std::string head;
  for (const std::string& e : experiments) head += fmt::format("<th><code>{}</code></th>", escaped(e));
  return fmt::format(
      "<details><summary>Settings that differ between the experiments</summary><div "
      "class=table><table>\n<tr><th>setting</th>"
      "{}</tr>\n{}</table></div><p>– : the experiment's algorithm has no such setting.</p></details>\n",
      head, rows);
}

std::string builds_table(const std::vector<Summary>& summaries) {
  std::map<std::pair<std::string, std::string>, std::map<std::string, std::size_t>> runs;
  for (const Summary& s : summaries)
    for (const FinishedRun* run : s.runs) ++runs[{run->result.revision, run->result.cpu}][s.experiment];
  std::string rows;
  for (const auto& [build, experiments] : runs) {
    std::string names;
    for (const auto& [name, count] : experiments)
      names += fmt::format("{}<code>{}</code> ({})", names.empty() ? "" : ", ", escaped(name), plural(count, "run"));
    rows += fmt::format("<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>\n", escaped(build.first),
                        escaped(build.second), names);
  }
  return "<h2>Revision and processor</h2>\n<div "
         "class=table><table>\n<tr><th>revision</th><th>processor</th><th>runs</th></tr>\n" +
         rows + "</table></div>\n";
}

// The figures of papers of which the report holds at least two points, all with the same changes besides.
void add_paper_figures(Page& page, const std::vector<Summary>& summaries) {
  for (const auto& [name, config] : figures()) {
    if (!config.measures.empty()) continue;  // learning curves are drawn anyway
    std::vector<Summary> points;
    std::set<std::string> places;
    std::optional<std::string> besides;
    for (const Summary& s : summaries) {
      if (std::find(config.experiments.begin(), config.experiments.end(), s.experiment) == config.experiments.end())
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
    for (std::size_t i = 0; i < config.experiments.size() && !config.key.empty(); ++i)
      if (m.solved[i].value_or(0) > 0)
        caption += fmt::format(
            " {}: largest {} solved (success at least 0.99) {}{}.", escaped(m.labels[i]), config.key, *m.solved[i],
            i < config.paper_limit.size() ? fmt::format(", in the paper {}", config.paper_limit[i]) : "");
    page.add(fmt::format("<h2>{}</h2>\n", escaped(config.title)));
    m.plot.title.clear();
    page.add(Figure{m.plot, m.csv, caption});
  }
}

void add_family(Page& page, const Family& family) {
  page.add(fmt::format("<h2>{}: {}</h2>\n", escaped(family.env), family.measure()));
  if (!family.common.empty()) {
    std::string text;
    for (const Change& c : family.common)
      text += fmt::format("{}<code>{}={}</code>", text.empty() ? "" : ", ", c.path, escaped(c.value));
    page.add(fmt::format("<p>All runs differ from their experiments' files in {}.</p>\n", text));
  }
  page.add(sources_table(family));
  const std::vector<Chunk> chunks = chunks_of(family);
  const std::string name = family.env + (family.returns ? "_return" : "");
  page.add("<h3>Final performance</h3>\n");
  for (std::size_t i = 0; i < chunks.size(); ++i)
    page.add(final_figure(family, chunks[i], chunks.size() > 1 ? fmt::format("{}_{}", name, i + 1) : name));
  page.add(final_table(family, false));
  if (many_seeds(family)) {
    const std::string single = final_table(family, true);
    if (!single.empty())
      page.add(
          fmt::format("<details><summary>Settings of a single seed (interval of a success rate: Wilson's, over its "
                      "episodes)</summary>{}</details>\n",
                      single));
  }
  page.add(seeds_table(family));
  page.add(kinds_table(family));
  page.add(settings_table(family));
  for (const Chunk& chunk : chunks)
    if (chunk.title.empty()) page.add(pooled_table(family, chunk));
  if (const std::vector<Comparison> pairs = comparisons(family); !pairs.empty()) {
    page.add("<h3>Probability of improvement</h3>\n");
    page.add(improvement_figure(pairs, name));
  }
  page.add("<h3>Learning curves</h3>\n");
  for (const Chunk& chunk : chunks) {
    bool headed = chunk.title.empty();
    for (const std::string& task : family.tasks) {
      const std::vector<const Group*> groups = shown(family, chunk, task);
      if (groups.empty()) continue;
      if (!headed) page.add(fmt::format("<h4>{}</h4>\n", escaped(chunk.title)));
      headed = true;
      const std::string title = task.empty() ? family.env : fmt::format("{}, {}", family.env, task);
      const bool hierarchical = !curves_of(*groups.front(), find_measure("lo_reward")).empty();
      page.add("<div class=row>\n");
      page.add(learning_figure(family, chunk, groups, title, false));
      page.add(learning_figure(family, chunk, groups, title, true));
      page.add(seeds_figure(family, chunk, groups, title));
      for (const Measure& m : kMeasures)
        if (m.column == std::string_view("return") ? !family.returns : m.training != nullptr && hierarchical)
          page.add(measure_figure(m, chunk, groups, fmt::format("{}_{}", m.column, title), title));
      page.add("</div>\n");
      if (const std::string note = carried_note(groups); !note.empty())
        page.add(fmt::format("<ul class=note>{}</ul>\n", note));
    }
  }
}

constexpr char kStyle[] = R"(<style>
:root { color-scheme: light dark; --line: #ccc; --soft: #555; --paper: #fff; --ink: #222; --link: #1a5fa8 }
@media (prefers-color-scheme: dark) { :root { --line: #444; --soft: #aaa; --paper: #161616; --ink: #ddd; --link: #7ab3ef } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1.5rem;
       max-width: 1500px }
h1 { font-size: 1.6rem } h2 { font-size: 1.3rem; border-top: 1px solid var(--line); padding-top: 1.2rem; margin-top: 2.5rem }
h3 { font-size: 1.05rem; margin-top: 1.8rem } h4 { font-size: 1rem; margin: 1.4rem 0 0 }
p, li { max-width: 60rem }
a { color: var(--link) }
figure { margin: 1rem 0 } figure svg { width: 100%; height: auto; display: block } figure svg text { font-family: system-ui, sans-serif }
figcaption { color: var(--soft); font-size: 0.85rem; line-height: 1.35 } .links { white-space: nowrap }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 0 1.5rem }
.table { overflow-x: auto } table { border-collapse: collapse; font-size: 0.85rem; margin: 0.6rem 0 }
th, td { border-bottom: 1px solid var(--line); padding: 0.2rem 0.6rem; text-align: left; vertical-align: top }
th { color: var(--soft); font-weight: 600 } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.note { color: var(--soft); font-size: 0.85rem; margin: 0 0 1.5rem; padding-left: 1.2rem }
summary { cursor: pointer; margin: 0.6rem 0 } code { font-size: 0.92em }
</style>
)";

constexpr char kNotes[] = R"(<h2>How the numbers are made</h2>
<ul>
<li><b>Final performance</b> is measured after training, on new episodes without exploration; success counts at an episode's
last step unless it says "any step". Success, return, length, steps, updates and wall time in tables are means over seeds.</li>
<li><b>IQM</b>, the interquartile mean, leaves out a quarter of the runs, rounded down, at each end (Agarwal et al. 2021,
arXiv:2108.13264). With fewer than four runs it is the mean.</li>
<li><b>Intervals</b> are 95 % percentile bootstrap intervals over runs, resampled within each task (stratified): 50,000
replicates for final performance, 2,000 for curves and for the probability of improvement. The success rate of a single
run has Wilson's interval of its episodes, which says nothing about other seeds; its return has none (-), nor have episodes
in chains of sub-tasks, which are not independent. With few seeds that agree, a bootstrap interval is too narrow.</li>
<li><b>Curves</b> take the evaluations during training, which have fewer episodes than the final one. Between two evaluations a
seed's last value holds; nothing is interpolated. Where a seed has ended, its last value is carried forward until the last
seed of its group ends: from there on the curve is thin and has no marks. A seed that ended at train.stop_success had reached
that success in several evaluations in a row. Curves never go on beyond their group's last evaluation.</li>
<li><b>Wall time</b> is that of the machine at the time, with whatever else it did.</li>
<li><b>Tasks</b> are equal settings of the environment; comparisons are made within a task. Settings of recorded results are
those of the experiment's file with the recorded changes.</li>
</ul>
)";

std::string html(const std::vector<Summary>& summaries, const std::filesystem::path& directory) {
  const std::vector<Family> families = families_of(summaries);
  Page page;
  std::size_t runs = 0;
  std::set<std::string> experiments;
  for (const Summary& s : summaries) {
    runs += s.runs.size();
    experiments.insert(s.experiment);
  }
  page.add(fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{}\n<meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>goalpost report</title>\n{}</head>\n<body>\n<h1>goalpost report</h1>\n"
      "<p>{} of {} in {}. Drawn by revision <code>{}</code>.</p>\n",
      kGenerator, kStyle, plural(runs, "run"), plural(summaries.size(), "setting"),
      plural(experiments.size(), "experiment"), escaped(BuildInfo::current().revision)));
  add_paper_figures(page, summaries);
  for (const Family& family : families) add_family(page, family);
  page.add(builds_table(summaries));
  page.add(kNotes);
  page.add("</body>\n</html>\n");
  return page.finish(directory);
}

}  // namespace

std::filesystem::path write_report_page(const std::vector<Summary>& summaries, const std::filesystem::path& directory) {
  if (!gnuplot_is_installed())
    throw UsageError("report --out: gnuplot, which draws the figures, is not installed (Debian: gnuplot-nox)");
  const std::filesystem::path index = directory / "index.html";
  try {
    std::filesystem::create_directories(directory);
    if (std::filesystem::exists(index) && read_file(index).find(kGenerator) == std::string::npos)
      throw UsageError(fmt::format("{} exists and is no report; it is left alone", index.string()));
    write_file_atomically(index, html(summaries, directory));
  } catch (const std::system_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(fmt::format("report --out {}: {}", directory.string(), e.what()));
  }
  return index;
}

}  // namespace goalpost
