// Files of episodes, ours and those of other libraries: a sentence or a whole dataset, nothing else.
#include <stdexcept>

#include "fuzz/fuzz.h"
#include "storage/dataset.h"

namespace {

goalpost::EnvSpec spec() {
  goalpost::EnvSpec s;
  s.name = "Fuzz-v0";
  s.obs_dim = 3;
  s.action = {.kind = goalpost::ActionSpace::Kind::discrete, .dim = 1, .choices = 1000, .low = {}, .high = {}};
  s.goal.dim = 3;
  s.goal.radius = 1;
  s.max_steps = 6;
  return s;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::filesystem::path path = goalpost::input_file(data, size, ".h5");
  try {
    goalpost::check_dataset(path);
  } catch (const std::runtime_error&) {
  }
  try {
    goalpost::replay_dataset(path, spec(), [](const goalpost::StepBatch&) {});
  } catch (const std::runtime_error&) {
  }
  return 0;
}
