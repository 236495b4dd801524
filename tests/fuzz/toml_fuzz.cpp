// Experiment files: a usage error or an experiment, nothing else.
#include "core/check.h"
#include "fuzz/fuzz.h"
#include "run/experiment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    goalpost::make_experiment(
        goalpost::TomlValues::from_text({reinterpret_cast<const char*>(data), size}, "fuzz.toml"));
  } catch (const goalpost::UsageError&) {
  }
  return 0;
}
