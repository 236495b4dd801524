#include "core/metrics.h"

#include "core/check.h"

namespace goalpost {

void Metrics::add(std::string_view name, double value) {
  for (int i = 0; i < used_; ++i) {
    if (slots_[static_cast<std::size_t>(i)].name == name) {
      slots_[static_cast<std::size_t>(i)].sum += value;
      ++slots_[static_cast<std::size_t>(i)].count;
      return;
    }
  }
  GP_CHECK(used_ < static_cast<int>(slots_.size()), "Metrics::add: ", name, " would be name ", used_ + 1,
           "; expected at most ", slots_.size());
  slots_[static_cast<std::size_t>(used_++)] = {name, value, 1};
}

double Metrics::mean(std::string_view name, double otherwise) const {
  for (const Slot& slot : *this)
    if (slot.name == name) return slot.mean();
  return otherwise;
}

}  // namespace goalpost
