#include "nn/normalizer.h"

#include <cmath>

#include "core/check.h"

namespace goalpost {

Normalizer::Normalizer(Index dim, const NormalizerConfig& config)
    : c_(config),
      sum_(Eigen::VectorXd::Zero(dim)),
      sum_of_squares_(Eigen::VectorXd::Zero(dim)),
      mean_(Vector::Zero(dim)),
      stddev_(Vector::Ones(dim)) {
  GP_CHECK(c_.clip > 0 && c_.raw_clip > 0 && c_.min_stddev > 0, "Normalizer: clip = ", c_.clip,
           ", raw_clip = ", c_.raw_clip, ", min_stddev = ", c_.min_stddev, "; expected positive numbers");
}

void Normalizer::observe(ConstMatrixRef x) {
  GP_CHECK_SHAPE("Normalizer::observe", x, sum_.size(), x.cols());
  if (!x.allFinite())
    for (Index j = 0; j < x.cols(); ++j)
      for (Index i = 0; i < x.rows(); ++i)
        if (!std::isfinite(x(i, j)))
          throw NumericsError(detail::concatenate("Normalizer::observe: x(", i, ", ", j, ") is ", x(i, j),
                                                  "; expected finite numbers"));
  for (Index j = 0; j < x.cols(); ++j) {
    for (Index i = 0; i < x.rows(); ++i) {
      const double value = std::min(std::max(static_cast<double>(x(i, j)), -c_.raw_clip), c_.raw_clip);
      sum_(i) += value;
      sum_of_squares_(i) += value * value;
    }
  }
  count_ += static_cast<double>(x.cols());
  refresh();
}

void Normalizer::refresh() {
  if (count_ == 0) return;
  for (Index i = 0; i < sum_.size(); ++i) {
    const double mean = sum_(i) / count_;
    const double variance = std::max(sum_of_squares_(i) / count_ - mean * mean, 0.0);
    mean_(i) = Scalar(mean);
    stddev_(i) = Scalar(std::max(std::sqrt(variance), c_.min_stddev));
  }
}

void Normalizer::apply(MatrixRef x) const {
  GP_CHECK_SHAPE("Normalizer::apply", x, mean_.size(), x.cols());
  const Scalar raw = Scalar(c_.raw_clip), clip = Scalar(c_.clip);
  for (Index j = 0; j < x.cols(); ++j) {
    auto column = x.col(j).array();
    column = ((column.min(raw).max(-raw) - mean_.array()) / stddev_.array()).min(clip).max(-clip);
  }
}

void Normalizer::visit_state(StateVisitor& v) {
  v.visit("count", count_);
  v.visit("sum", std::span(sum_.data(), sum_.size()));
  v.visit("sum_of_squares", std::span(sum_of_squares_.data(), sum_of_squares_.size()));
  refresh();
}

}  // namespace goalpost
