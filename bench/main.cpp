// BENCHMARK_MAIN with shorter defaults: a whole run takes a few minutes. Flags given by the user win. At the end the
// updates of this run are set against its arithmetic peak.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "autodiff/gemm.h"
#include "core/communicator.h"

namespace {

// Prints as usual, and remembers the rates of products.
class Reporter final : public benchmark::ConsoleReporter {
 public:
  explicit Reporter(OutputOptions options) : ConsoleReporter(options) {}

  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const auto rate = run.counters.find("GFLOP/s");
      if (run.run_type != Run::RT_Iteration || rate == run.counters.end()) continue;
      std::string name = run.run_name.function_name;
      if (!rates_.contains(name)) order_.push_back(name);
      rates_[name].push_back({rate->second.value, run.GetAdjustedRealTime()});
    }
  }

  void Finalize() override {
    ConsoleReporter::Finalize();
    const std::string peak_name = "BM_fma_peak/float";
    if (!rates_.contains(peak_name + kThreads + "1")) return;
    std::printf("\nShare of the float32 peak, kernels %s. Products are those that the update cannot do without.\n",
                goalpost::gemm_kernels());
    for (const char* threads : {"1", "2"})
      if (rates_.contains(peak_name + kThreads + threads))
        std::printf("peak of %s thread%s: %.1f GFLOP/s\n", threads, *threads == '1' ? "" : "s",
                    median(peak_name + kThreads + threads).rate);
    std::printf("%-52s %7s %12s %7s %12s %7s\n", "update", "threads", "products us", "share", "update us", "share");
    const std::string update = "_learner_update/";
    for (const std::string& name : order_) {
      const std::size_t at = name.find(update), threads_at = name.find(kThreads);
      if (at == name.npos || threads_at == name.npos) continue;
      const std::string threads = name.substr(threads_at + std::string(kThreads).size());
      const std::string products = name.substr(0, at) + "_update_products/" + name.substr(at + update.size());
      if (!rates_.contains(peak_name + kThreads + threads) || !rates_.contains(products)) continue;
      const double peak = median(peak_name + kThreads + threads).rate;
      const Measured bare = median(products), whole = median(name);
      std::printf(
          "%-52s %7s %12.0f %5.1f %% %12.0f %5.1f %%\n",
          (name.substr(3, at - 3) + " " + name.substr(at + update.size(), threads_at - at - update.size())).c_str(),
          threads.c_str(), bare.time, 100 * bare.rate / peak, whole.time, 100 * whole.rate / peak);
    }
  }

 private:
  static constexpr const char* kThreads = "/threads:";
  struct Measured {
    double rate, time;  // GFLOP/s; in the benchmark's unit
  };
  Measured median(const std::string& name) {
    std::vector<Measured>& all = rates_.at(name);
    std::sort(all.begin(), all.end(), [](const Measured& a, const Measured& b) { return a.rate < b.rate; });
    return all[all.size() / 2];
  }
  std::map<std::string, std::vector<Measured>> rates_;
  std::vector<std::string> order_;
};

}  // namespace

int main(int argc, char** argv) {
  goalpost::join_job();
  if (goalpost::job().rank() > 0 && std::freopen("/dev/null", "w", stdout) == nullptr) return 1;
  std::string min_time = "--benchmark_min_time=0.2";
  std::vector<char*> arguments(argv, argv + argc);
  arguments.insert(arguments.begin() + 1, min_time.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::AddCustomContext("goalpost_scalar_bytes", std::to_string(sizeof(goalpost::Scalar)));
  benchmark::AddCustomContext("goalpost_vector_bytes",
                              std::to_string(sizeof(Eigen::internal::packet_traits<goalpost::Scalar>::type)));
  benchmark::AddCustomContext("goalpost_compiler", __VERSION__);
  bool tabular = false, console = true;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    tabular = tabular || argument == "--benchmark_counters_tabular=true";
    console = console && !argument.starts_with("--benchmark_format=");
  }
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  Reporter reporter(tabular ? Reporter::OO_Tabular : Reporter::OO_None);
  benchmark::RunSpecifiedBenchmarks(console ? &reporter : nullptr);
  benchmark::Shutdown();
  return 0;
}
