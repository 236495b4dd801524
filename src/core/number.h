// Numbers as users write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace goalpost {

/// The integer that a text stands for, exactly: "1000000", "1_000_000", "1e6", "1.5e3". Nothing for any other text, a
/// fraction ("1.5e0") or a number beyond 64 bits.
std::optional<std::int64_t> exact_integer(std::string_view text);

}  // namespace goalpost
