#include "nn/normalizer.h"

#include <cmath>

#include "core/check.h"
#include "core/worker.h"

namespace goalpost {

Normalizer::Normalizer(Index dim, const NormalizerConfig& config)
    : c_(config), total_(dim), collected_(dim), mean_(Vector::Zero(dim)), stddev_(Vector::Ones(dim)) {
  GP_CHECK(c_.clip > 0 && c_.raw_clip > 0 && c_.min_stddev > 0, "Normalizer: clip = ", c_.clip,
           ", raw_clip = ", c_.raw_clip, ", min_stddev = ", c_.min_stddev, "; expected positive numbers");
}

void Normalizer::observe(ConstMatrixRef x) {
  GP_CHECK_SHAPE("Normalizer::observe", x, mean_.size(), x.cols());
  if (!x.allFinite())
    for (Index j = 0; j < x.cols(); ++j)
      for (Index i = 0; i < x.rows(); ++i)
        if (!std::isfinite(x(i, j)))
          throw NumericsError(detail::concatenate("Normalizer::observe: x(", i, ", ", j, ") is ", x(i, j),
                                                  "; expected finite numbers"));
  Sums& sums = has_workers_ ? collected_ : total_;
  for (Index j = 0; j < x.cols(); ++j) {
    for (Index i = 0; i < x.rows(); ++i) {
      const double value = std::min(std::max(static_cast<double>(x(i, j)), -c_.raw_clip), c_.raw_clip);
      sums.sum(i) += value;
      sums.sum_of_squares(i) += value * value;
    }
  }
  sums.count += static_cast<double>(x.cols());
  if (!has_workers_) refresh();
}

void Normalizer::collect_for_workers() { has_workers_ = true; }

void Normalizer::share_between_workers() {
  const Index n = mean_.size();
  message_.resize(static_cast<std::size_t>(2 * n + 1));
  Eigen::Map<Eigen::VectorXd> message(message_.data(), 2 * n + 1);
  message << collected_.sum, collected_.sum_of_squares, collected_.count;
  this_worker()->sum(message_);
  total_.sum += message.head(n);
  total_.sum_of_squares += message.segment(n, n);
  total_.count += message(2 * n);
  collected_.sum.setZero();
  collected_.sum_of_squares.setZero();
  collected_.count = 0;
  refresh();
}

void Normalizer::refresh() {
  if (total_.count == 0) return;
  for (Index i = 0; i < mean_.size(); ++i) {
    const double mean = total_.sum(i) / total_.count;
    const double variance = std::max(total_.sum_of_squares(i) / total_.count - mean * mean, 0.0);
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

void Normalizer::Sums::visit_state(StateVisitor& v) {
  v.visit("count", count);
  v.visit("sum", std::span(sum.data(), sum.size()));
  v.visit("sum_of_squares", std::span(sum_of_squares.data(), sum_of_squares.size()));
}

void Normalizer::visit_state(StateVisitor& v) {
  total_.visit_state(v);
  refresh();
}

void Normalizer::visit_collected(StateVisitor& v) { collected_.visit_state(v); }

}  // namespace goalpost
