// BENCHMARK_MAIN with shorter defaults: a whole run takes a few minutes. Flags given by the user win.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/matrix.h"

int main(int argc, char** argv) {
  std::string min_time = "--benchmark_min_time=0.2";
  std::vector<char*> arguments(argv, argv + argc);
  arguments.insert(arguments.begin() + 1, min_time.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::AddCustomContext("goalpost_scalar_bytes", std::to_string(sizeof(goalpost::Scalar)));
  benchmark::AddCustomContext("goalpost_vector_bytes",
                              std::to_string(sizeof(Eigen::internal::packet_traits<goalpost::Scalar>::type)));
  benchmark::AddCustomContext("goalpost_compiler", __VERSION__);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
