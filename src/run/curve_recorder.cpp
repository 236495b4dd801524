#include "run/curve_recorder.h"

#include <fmt/format.h>

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace goalpost {
namespace {

struct PhaseColumn {
  const char *name, *tag;
  double PhaseSeconds::*seconds;
};
constexpr PhaseColumn kPhaseColumns[] = {
    {"seconds_environment", "time/seconds_environment", &PhaseSeconds::environment},
    {"seconds_act", "time/seconds_act", &PhaseSeconds::act},
    {"seconds_sample", "time/seconds_sample", &PhaseSeconds::sample},
    {"seconds_update", "time/seconds_update", &PhaseSeconds::update},
    {"seconds_evaluate", "time/seconds_evaluate", &PhaseSeconds::evaluate}};

std::string without_quotes(std::string text) {
  std::erase(text, '"');
  return text;
}

}  // namespace

void CurveRecorder::write(const TrainProgress& p, const Evaluation& e, const Metrics& metrics) {
  const double episodes = static_cast<double>(p.episodes), updates = static_cast<double>(p.updates);
  std::vector<RunLog::Column> evaluation = {{"updates", updates, ""},
                                            {"episodes", episodes, ""},
                                            {"wall_seconds", p.wall_seconds, ""},
                                            {"success", e.success, "eval/success_rate"},
                                            {"success_any", e.success_any, "eval/success_any_rate"},
                                            {"return", e.mean_return, "eval/mean_reward"},
                                            {"length", e.length, "eval/mean_ep_length"}};
  std::deque<std::string> names;
  for (const Evaluation::Category& k : e.categories)
    evaluation.push_back(
        {names.emplace_back("success_" + k.name), k.success, names.emplace_back("eval/success_rate_" + k.name)});
  if (e.unstable > 0)
    evaluation.push_back({"unstable_episodes", static_cast<double>(e.unstable), "eval/unstable_episodes"});
  log_.write("eval", p.step, evaluation);
  std::vector<RunLog::Column> row = {
      {"updates", updates, ""}, {"episodes", episodes, ""}, {"wall_seconds", p.wall_seconds, ""}};
  if (p.episodes > 0) {
    row.push_back({"success", p.success, "rollout/success_rate"});
    row.push_back({"success_any", p.success_any, "rollout/success_any_rate"});
    row.push_back({"return", p.mean_return, "rollout/ep_rew_mean"});
    row.push_back({"length", p.length, "rollout/ep_len_mean"});
  }
  if (p.unstable_episodes > 0)
    row.push_back({"unstable_episodes", static_cast<double>(p.unstable_episodes), "rollout/unstable_episodes"});
  const double seconds = p.wall_seconds - last_.wall_seconds;
  if (p.step > last_.step && seconds > 0) {
    row.push_back({"steps_per_second", static_cast<double>(p.step - last_.step) / seconds, "time/fps"});
    row.push_back(
        {"updates_per_second", static_cast<double>(p.updates - last_.updates) / seconds, "time/updates_per_second"});
  }
  // Columns are train/loss -> loss, but lo/loss -> lo_loss: two levels have one each.
  for (const Metrics::Slot& m : metrics) {
    const std::size_t slash = m.name().find('/');
    const std::string_view group = m.name().substr(0, slash);
    std::string name(m.name());
    if (slash != std::string::npos) name[slash] = '_';
    if (group == "train" || group == "rollout") name = name.substr(slash + 1);
    row.push_back({names.emplace_back(name), m.mean(), m.name()});
  }
  if (p.step > last_.step || p.step == 0)  // a run that was resumed for its evaluation has spent them elsewhere
    for (const PhaseColumn& c : kPhaseColumns)
      row.push_back({c.name, p.phases.*c.seconds - last_.phases.*c.seconds, c.tag});
  log_.write("train", p.step, row);
  last_ = p;
}

void log_hparams(Experiment& e, RunLog& log) {
  std::vector<EventFile::Hparam> hparams;
  std::string group;
  for (const FieldText& f : describe_fields([&](ConfigVisitor& v) { e.visit(v); })) {
    if (!f.path.starts_with("env.") && !f.path.starts_with("train.") && !f.path.starts_with("agent.") &&
        f.path != "seed")
      continue;
    if (f.is_number && !f.value.empty())
      hparams.push_back({f.path, std::stod(f.value)});
    else if (f.value == "true" || f.value == "false")
      hparams.push_back({f.path, f.value == "true"});
    else
      hparams.push_back({f.path, without_quotes(f.value)});
    if (f.affects_results && f.path != "seed") group += f.path + "=" + f.value + " ";
  }
  log.events().add_hparams(hparams, fmt::format("{} {:016x}", e.name, std::hash<std::string>()(group)));
}

void write_histograms(Agent& agent, std::int64_t step, RunLog& log) {
  for (const HistogramSample& d : agent.histogram_samples()) {
    const std::vector<double> values(d.values.data(), d.values.data() + d.values.size());
    log.events().add_histogram(step, d.name, values);
  }
}

}  // namespace goalpost
