// Files of actions: a usage error or actions within the environment's range, nothing else.
#include <cstdlib>

#include "core/check.h"
#include "fuzz/fuzz.h"
#include "run/rollout_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const goalpost::EnvSpec continuous = [] {
    goalpost::EnvSpec s;
    s.action = {.dim = 2, .choices = 0, .low = goalpost::Vector::Constant(2, -1), .high = goalpost::Vector::Ones(2)};
    return s;
  }();
  static const goalpost::EnvSpec discrete = [] {
    goalpost::EnvSpec s;
    s.action = {.kind = goalpost::ActionSpace::Kind::discrete, .dim = 1, .choices = 5, .low = {}, .high = {}};
    return s;
  }();
  const std::filesystem::path path = goalpost::input_directory() / "actions.csv";
  goalpost::write_input(path, data, size);
  for (const goalpost::EnvSpec* spec : {&continuous, &discrete}) {
    try {
      const Eigen::MatrixXd actions = goalpost::read_actions(path, *spec);
      if (!actions.allFinite() || actions.cwiseAbs().maxCoeff() > 4) std::abort();
    } catch (const goalpost::UsageError&) {
    }
  }
  return 0;
}
