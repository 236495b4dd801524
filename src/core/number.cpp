#include "core/number.h"

#include <charconv>
#include <string>

namespace goalpost {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits from the front of a text, with single underscores between them; empty if there are none.
std::string take_digits(std::string_view& text) {
  std::string digits;
  while (!text.empty()) {
    const bool separator = text[0] == '_' && !digits.empty() && text.size() > 1 && is_digit(text[1]);
    if (separator)
      text.remove_prefix(1);
    else if (!is_digit(text[0]))
      break;
    digits += text[0];
    text.remove_prefix(1);
  }
  return digits;
}

bool take_sign(std::string_view& text) {  // whether it is a minus
  if (text.empty() || (text[0] != '-' && text[0] != '+')) return false;
  const bool minus = text[0] == '-';
  text.remove_prefix(1);
  return minus;
}

}  // namespace

std::optional<std::int64_t> exact_integer(std::string_view text) {
  constexpr long kMostDigits = 19;
  const bool negative = take_sign(text);
  std::string digits = take_digits(text);
  if (digits.empty()) return {};
  long exponent = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const std::string fraction = take_digits(text);
    if (fraction.empty()) return {};
    digits += fraction;
    exponent = -static_cast<long>(fraction.size());
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    const bool down = take_sign(text);
    const std::string power = take_digits(text);
    if (power.empty() || power.size() > 4) return {};
    exponent += (down ? -1 : 1) * std::stol(power);
  }
  if (!text.empty()) return {};
  for (; exponent < 0 && digits.ends_with('0'); ++exponent) digits.pop_back();
  digits.erase(0, digits.find_first_not_of('0'));
  if (digits.empty()) return 0;
  if (exponent < 0 || static_cast<long>(digits.size()) + exponent > kMostDigits) return {};
  digits.append(exponent, '0');
  const std::string number = (negative ? "-" : "") + digits;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return {};
  return value;
}

}  // namespace goalpost
