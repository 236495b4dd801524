// HDF5 files, ours and those of other libraries, read as episodes, as a D4RL file, as Minari's and as a checkpoint: a
// sentence or a whole dataset, nothing else.
#include <array>
#include <stdexcept>

#include "core/state.h"
#include "fuzz/fuzz.h"
#include "storage/checkpoint.h"
#include "storage/dataset.h"

namespace {

namespace fs = std::filesystem;

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

// A counter that sizes what follows it.
void visit(goalpost::StateVisitor& v) {
  std::uint64_t count = 2;
  v.visit("count", count);
  if (count > 8) throw std::runtime_error("too many");
  const goalpost::StateVisitor::Scope q(v, "q");
  goalpost::Matrix w = goalpost::Matrix::Zero(static_cast<goalpost::Index>(count), 3);
  v.visit("W", w);
  std::array<double, 2> sums = {};
  v.visit("sums", std::span(sums));
}

// The input stands beside what a Minari dataset needs around its data.
const fs::path& minari_directory() {
  static const fs::path& path = [&]() -> const fs::path& {
    const fs::path& directory = goalpost::input_directory();
    std::ofstream(directory / "metadata.json") << R"({"data_format": "hdf5", "total_episodes": 2, "total_steps": 5})";
    return directory;
  }();
  return path;
}

template <class F>
void survive(F read) {
  try {
    read();
  } catch (const std::runtime_error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fs::path& directory = minari_directory();
  const fs::path file = directory / "main_data.hdf5";
  goalpost::write_input(file, data, size);
  survive([&] { goalpost::check_dataset(file); });
  for (const fs::path& dataset : {file, directory})
    survive([&] { goalpost::replay_dataset(dataset, spec(), [](const goalpost::StepBatch&) {}); });
  survive([&] { goalpost::check_state(file); });
  survive([&] { goalpost::load_state(file, "fuzz", visit); });
  return 0;
}
