// Adding, saving and checking of segments.
#include "algos/hiro/segment_buffer.h"

#include <algorithm>
#include <stdexcept>

#include "core/check.h"

namespace goalpost {
namespace {

// Lengths are column indices, so lengths from a file are checked.
void check_length(const Segment& segment) {
  if (!segment.has_valid_length())
    throw std::runtime_error(
        "SegmentBuffer: a segment was saved with more steps than it has room for, or fewer than 0");
}

// Who draws goals walks from segment to segment, so links from a file are checked: each leads to a newer one.
void check_link(const Segment& segment, std::int64_t newer) {
  if (segment.length() < 1 || !(segment.until_next() >= 0 && segment.until_next() <= Scalar(newer)))
    throw std::runtime_error(detail::concatenate("SegmentBuffer: a segment of ", segment.length(),
                                                 " steps was saved as followed by that stored ", segment.until_next(),
                                                 " later; expected steps, and 0 to ", newer));
}

}  // namespace

SegmentBuffer::SegmentBuffer(const SegmentShape& shape, Index capacity, int lanes)
    : shape_(shape),
      capacity_(capacity),
      open_(Matrix::Zero(shape.size(), lanes)),
      last_of_episode_(static_cast<std::size_t>(lanes)) {
  GP_CHECK(capacity > 0, "SegmentBuffer: capacity = ", capacity, "; expected a positive number");
  GP_CHECK(shape.steps > 0, "SegmentBuffer: steps = ", shape.steps, "; expected a positive number");
  if (lanes == 0) return;
  data_ = std::make_unique_for_overwrite<Scalar[]>(shape.size() * capacity);
}

void SegmentBuffer::begin_segment(Index lane, ConstVectorRef obs, ConstVectorRef desired, ConstVectorRef subgoal) {
  open_.col(lane).setZero();
  const Segment segment = open(lane);
  segment.obs().col(0) = obs;
  segment.desired() = desired;
  segment.subgoal() = subgoal;
}

void SegmentBuffer::add(Index lane) {
  std::copy_n(open_.col(lane).data(), shape_.size(), data_.get() + (added_ % capacity_) * shape_.size());
  if (shape_.achieved) {
    std::uint64_t& last = last_of_episode_[static_cast<std::size_t>(lane)];
    const std::int64_t later = added_ + 1 - static_cast<std::int64_t>(last);
    if (last > 0 && later > 0 && later < capacity_) at((added_ - later) % capacity_).until_next() = Scalar(later);
    last = static_cast<std::uint64_t>(added_ + 1);
  }
  ++added_;
  size_ = std::min<Index>(added_, capacity_);
}

void SegmentBuffer::visit_state(StateVisitor& v) {
  v.visit("added", added_);
  if (added_ < 0)
    throw std::runtime_error(detail::concatenate("SegmentBuffer: added = ", added_, "; expected no negative number"));
  size_ = std::min<Index>(added_, capacity_);
  v.visit("segments", MatrixMap(data_.get(), shape_.size(), size_));
  for (Index i = 0; i < size_; ++i) {
    check_length(at(i));
    if (shape_.achieved) check_link(at(i), (added_ - 1 - i) % capacity_);
  }
}

void SegmentBuffer::visit_open(StateVisitor& v) {
  v.visit("open", open_);
  if (shape_.achieved) v.visit("last_of_episode", last_of_episode_);
  for (Index i = 0; i < open_.cols(); ++i) check_length(open(i));
}

}  // namespace goalpost
