#include "core/metrics.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "core/check.h"

namespace goalpost {

void Metrics::add(std::string_view name, double value) {
  for (std::int64_t i = 0; i < used_; ++i) {
    if (slots_[i].name() == name) {
      slots_[i].sum += value;
      ++slots_[i].count;
      return;
    }
  }
  GP_CHECK(used_ < static_cast<std::int64_t>(slots_.size()), "Metrics::add: ", name, " would be name ", used_ + 1,
           "; expected at most ", slots_.size());
  Slot& slot = slots_[used_];
  GP_CHECK(name.size() < slot.text_.size(), "Metrics::add: ", name, " has ", name.size(),
           " characters; expected at most ", slot.text_.size() - 1);
  slot.text_ = {};
  std::copy(name.begin(), name.end(), slot.text_.begin());
  slot.sum = value;
  slot.count = 1;
  ++used_;
}

double Metrics::mean(std::string_view name, double otherwise) const {
  for (const Slot& slot : *this)
    if (slot.name() == name) return slot.mean();
  return otherwise;
}

void Metrics::visit_state(StateVisitor& v) {
  v.visit("used", used_);
  if (used_ < 0 || used_ > static_cast<std::int64_t>(slots_.size()))
    throw std::runtime_error(
        detail::concatenate("Metrics: ", used_, " names were saved; expected at most ", slots_.size()));
  for (std::int64_t i = 0; i < used_; ++i) {
    const StateVisitor::Scope scope(v, std::to_string(i));
    Slot& slot = slots_[i];
    std::array<std::uint64_t, sizeof(slot.text_) / 8> words;
    std::memcpy(words.data(), slot.text_.data(), sizeof words);
    v.visit("name", std::span(words));
    std::memcpy(slot.text_.data(), words.data(), sizeof words);
    slot.text_.back() = '\0';
    v.visit("sum", slot.sum);
    v.visit("count", slot.count);
  }
}

}  // namespace goalpost
