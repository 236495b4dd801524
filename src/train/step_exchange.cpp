#include "train/step_exchange.h"

#include <algorithm>
#include <cstddef>
#include <span>

namespace goalpost {

void StepExchange::share(bool asked_to_stop, bool ready, const StepBatch* step) {
  mine_.assign(step == nullptr ? 1 : step->success.size(), Lane{.asked_to_stop = asked_to_stop, .ready = ready});
  for (std::size_t i = 0; step != nullptr && i < mine_.size(); ++i) {
    mine_[i].reward = static_cast<float>(step->reward(0, static_cast<Index>(i)));
    mine_[i].success = step->success[i];
    mine_[i].ended = step->ended(i);
    mine_[i].unstable = step->is_unstable(i);
  }
  if (worker_ != nullptr)
    worker_->gather(std::span<const Lane>(mine_), lanes_);
  else
    lanes_ = mine_;
  stop_ = std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.asked_to_stop != 0; });
  ready_ = std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.ready != 0; });
  if (step == nullptr) lanes_.clear();
}

}  // namespace goalpost
