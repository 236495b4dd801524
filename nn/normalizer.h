#pragma once

#include <vector>

#include "core/config.h"
#include "core/matrix.h"
#include "core/state.h"

namespace goalpost {

struct NormalizerConfig {
  bool enabled = false;
  double clip = 5;
  double raw_clip = 200;
  double min_stddev = 0.01;
};
constexpr auto fields(const NormalizerConfig*) {
  return std::tuple{
      field("enabled", &NormalizerConfig::enabled, "normalize the networks' inputs with running statistics",
            "Andrychowicz et al. 2017, App. A"),
      field("clip", &NormalizerConfig::clip, "normalized inputs are clipped to plus or minus this", 1e-3, 1e6,
            "Andrychowicz et al. 2017, App. A"),
      field("raw_clip", &NormalizerConfig::raw_clip, "raw inputs are first clipped to plus or minus this", 1e-3, 1e12,
            "Plappert et al. 2018, App. B"),
      field("min_stddev", &NormalizerConfig::min_stddev, "lower bound of the standard deviation", 1e-12, 1e6,
            "Plappert et al. 2018, App. B"),
  };
}
static_assert(complete<NormalizerConfig>);

/// Normalizes inputs by the running mean and standard deviation of each row, over all columns seen:
/// x̂ = clip((clip(x, ±raw_clip) − mean) / max(deviation, min_stddev), ±clip)
/// Sums are kept in double, so millions of columns lose no precision. Before the first column the mean is 0 and the
/// deviation 1.
class Normalizer {
 public:
  Normalizer(Index dim, const NormalizerConfig& config);
  /// Adds every column to the statistics. @shape x [dim x B] @alloc none
  /// @throws NumericsError naming the entry if one is not finite; the statistics are then unchanged
  void observe(ConstMatrixRef x);
  /// Replaces the columns by their normalized values. @shape x [dim x B] @alloc none
  void apply(MatrixRef x) const;
  /// From here on columns are collected apart, until share_between_workers() adds those of all workers of the run
  /// (core/worker.h), so that all of them have the same statistics.
  void collect_for_workers();
  /// @pre all workers call it, after collect_for_workers()
  void share_between_workers();
  bool enabled() const { return c_.enabled; }
  const Vector& mean() const { return mean_; }
  const Vector& stddev() const { return stddev_; }
  double count() const { return total_.count + collected_.count; }  ///< columns seen
  void visit_state(StateVisitor& v);
  void visit_collected(StateVisitor& v);  ///< what has not yet been shared between workers

 private:
  struct Sums {
    explicit Sums(Index dim) : sum(Eigen::VectorXd::Zero(dim)), sum_of_squares(Eigen::VectorXd::Zero(dim)) {}
    void visit_state(StateVisitor& v);
    double count = 0;
    Eigen::VectorXd sum, sum_of_squares;
  };
  void refresh();

  NormalizerConfig c_;
  Sums total_, collected_;  // collected_: by this worker, not yet shared
  bool has_workers_ = false;
  std::vector<double> message_;
  Vector mean_, stddev_;  // derived from total_
};

}  // namespace goalpost
