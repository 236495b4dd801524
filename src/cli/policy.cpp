// goalpost policy: looks at trained policies, and exchanges them with other programs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "core/check.h"
#include "core/config.h"
#include "core/text.h"
#include "exchange/export.h"
#include "exchange/layout.h"
#include "policy/policy.h"
#include "run/policy_import.h"
#include "storage/file.h"
#include "storage/run_directory.h"

namespace goalpost {
namespace {

struct PolicyOptions {
  std::string action, path, out, name = "policy", env, normalizer;
  std::vector<std::string> set;
  bool as_json = false;
};

constexpr const char* kPolicyActions[] = {"info", "export", "import"};

std::string network_line(const PolicyLevel& level) {
  const MlpConfig& c = level.config;
  std::string sizes = fmt::format("{}", level.network.in());
  for (const int width : c.hidden) sizes += fmt::format(" - {}", width);
  std::string text = fmt::format("{} - {}, {}", sizes, level.network.out(), enum_name(c.activation));
  if (c.layer_norm || c.input_norm || c.hidden_norm) text += ", layer normalization";
  switch (level.head) {
    case PolicyHead::tanh:
      return text + "; tanh";
    case PolicyHead::gaussian:
      return text + "; tanh of a Gaussian";
    case PolicyHead::argmax:
      return text + "; the greatest of the outputs";
  }
  return text;
}

std::string action_line(const Policy& p) {
  if (p.choices > 0) return fmt::format("one of {}", p.choices);
  if ((p.low.array() == p.low(0)).all() && (p.high.array() == p.high(0)).all())
    return fmt::format("{} numbers in [{}, {}]", p.action_size(), p.low(0), p.high(0));
  return fmt::format("{} numbers, each in a range of its own", p.action_size());
}

void print_info(const Policy& p, const std::string& path) {
  fmt::print("{}: {} for {}, after {} steps of training with seed {}\n", path, p.algorithm, p.environment,
             format_thousands(static_cast<double>(p.step)), p.seed);
  std::string inputs = fmt::format("obs {}", p.obs_size);
  if (p.zeros > 0) inputs += fmt::format(", {} zeros", p.zeros);
  if (p.goal_size > 0) inputs += fmt::format(", desired_goal {}", p.goal_size);
  if (p.normalizer)
    inputs += fmt::format("; normalized, clipped to {} and before to {}", p.normalizer_config.clip,
                          p.normalizer_config.raw_clip);
  fmt::print("  {:<15} {}\n", "inputs", inputs);
  std::size_t weights = 0;
  for (const PolicyLevel& level : p.levels) {
    fmt::print("  {:<15} {}\n", "network " + level.name, network_line(level));
    Mlp copy = level.network;
    for (const Parameter* parameter : copy.parameters()) weights += static_cast<std::size_t>(parameter->value.size());
  }
  if (p.subgoals)
    fmt::print("  {:<15} {} entries of the observation, every {} steps\n", "sub-goals", p.subgoals->limits.size(),
               p.subgoals->c);
  fmt::print("  {:<15} {}\n", "action", action_line(p));
  fmt::print("  {:<15} {} numbers, trained with {} products\n", "weights",
             format_thousands(static_cast<double>(weights)), p.precision);
  fmt::print("  {:<15} {}, run {}\n", "revision", p.revision, p.identity);
}

int policy(const PolicyOptions& o) {
  const auto need = [&](const std::string& value, const char* option) {
    if (value.empty()) throw UsageError(fmt::format("policy {}: {} is missing", o.action, option));
  };
  if (!std::filesystem::exists(o.path)) throw UsageError(fmt::format("{}: there is no such file", o.path));
  if (o.action == "import") {
    need(o.env, "--env");
    need(o.out, "--out");
    for (const std::string& sentence :
         import_policy({.file = o.path, .normalizer = o.normalizer, .env = o.env, .set = o.set, .out = o.out}))
      print_line(sentence);
    print_line(fmt::format("next: `goalpost evaluate {}`", o.out));
    return 0;
  }
  try {
    const Policy p = Policy::read(o.path);
    if (o.action == "info") {
      if (o.as_json)
        fmt::print("{}\n", policy_layout(p).dump());
      else
        print_info(p, o.path);
      return 0;
    }
    need(o.out, "--out");
    if (std::filesystem::exists(std::filesystem::symlink_status(o.out)))
      throw UsageError(fmt::format("{}: it already exists; expected a new name", o.out));
    expect_new(o.out);
    export_policy(p, o.out, o.name);
    print_line(fmt::format("{}: {} for {}", o.out, p.algorithm, p.environment));
    if (p.precision != "float32")
      print_error(
          fmt::format("goalpost: it was trained with {} products; those of {} are float32, so that its actions "
                      "differ a little",
                      p.precision, o.out));
    return 0;
  } catch (const std::runtime_error& e) {
    if (is_of_machine(e)) throw;
    throw UsageError(e.what());
  }
}

}  // namespace

void add_policy_command(CLI::App& app, int& status) {
  CLI::App* command =
      app.add_subcommand("policy", "look at a trained policy, export it for other programs, import one");
  const auto o = std::make_shared<PolicyOptions>();
  command->add_option("ACTION", o->action, "info: what it is\nexport: for other programs\nimport: of other programs")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kPolicyActions), std::end(kPolicyActions))));
  command
      ->add_option("PATH", o->path,
                   "run directory or policy.h5; to import a zip of Stable-Baselines3 (SAC, TD3, DDPG, DQN) or a "
                   "model.pt of hindsight-experience-replay")
      ->required();
  command->add_option(
      "--out", o->out,
      "export: a new file, whose name's end says the format: .npz (NumPy), .safetensors, .onnx, .h (C); "
      "import: a new run directory");
  command->add_option("--name", o->name, "export to .h: what its functions and constants begin with");
  command->add_option("--env", o->env, "import: the environment that it acts in");
  command->add_option("--normalizer", o->normalizer, "import: the pickled VecNormalize that belongs to it");
  command->add_flag("--json", o->as_json, "info: print one JSON object");
  add_set_option(*command, o->set, "import: a setting of the environment, e.g. env.bits=20");
  command->callback([o, &status] { status = policy(*o); });
}

}  // namespace goalpost
