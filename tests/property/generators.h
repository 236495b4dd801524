// What the properties draw their cases from. Everything shrinks: a failure is reported with the smallest case found.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/matrix.h"
#include "core/rng.h"

namespace goalpost::test {

/// A whole number in [low, high].
inline rc::Gen<int> whole(int low, int high) { return rc::gen::inRange(low, high + 1); }

/// A generator of ours, for draws that need no shrinking.
inline Rng any_rng() { return Rng(*rc::gen::arbitrary<std::uint64_t>().as("seed")); }

/// Numbers of every size, and those at the edges: signed zeros, denormals, the largest, infinities if allowed.
template <class T>
rc::Gen<T> real(bool infinities) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> edges = {0, Limits::denorm_min(), Limits::min(), Limits::max(), Limits::epsilon(), T(0.1), T(1) / 3};
  if (infinities) edges.push_back(Limits::infinity());
  const std::size_t n = edges.size();
  for (std::size_t i = 0; i < n; ++i) edges.push_back(-edges[i]);
  return rc::gen::oneOf(rc::gen::elementOf(std::move(edges)),
                        rc::gen::map(rc::gen::arbitrary<std::uint64_t>(),
                                     [](std::uint64_t bits) {  // any pattern of bits that is a finite number
                                       T value;
                                       std::memcpy(&value, &bits, sizeof value);
                                       return std::isfinite(value) ? value : T(0);
                                     }),
                        rc::gen::map(rc::gen::arbitrary<int>(), [](int i) { return static_cast<T>(i) / T(8); }));
}

/// Text of the given code points, as UTF-8.
inline std::string utf8(const std::vector<char32_t>& points) {
  std::string text;
  for (const char32_t c : points) {
    const auto add = [&](char32_t byte) { text += static_cast<char>(byte); };
    if (c < 0x80) {
      add(c);
    } else if (c < 0x800) {
      add(0xc0 | c >> 6);
      add(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
      add(0xe0 | c >> 12);
      add(0x80 | (c >> 6 & 0x3f));
      add(0x80 | (c & 0x3f));
    } else {
      add(0xf0 | c >> 18);
      add(0x80 | (c >> 12 & 0x3f));
      add(0x80 | (c >> 6 & 0x3f));
      add(0x80 | (c & 0x3f));
    }
  }
  return text;
}

/// Text in UTF-8, of all planes, rich in what writers have to escape. It holds no zero byte.
inline rc::Gen<std::string> text() {
  const auto point = rc::gen::weightedOneOf<char32_t>(
      {{4, rc::gen::inRange<char32_t>(0x20, 0x7f)},
       {2, rc::gen::elementOf(std::u32string(U"\"'\\#=[]{},.\n\r\t\b\f\x1\x1f\x7f\x85\x2028\xfeff"))},
       {1, rc::gen::inRange<char32_t>(0x01, 0xd800)},
       {1, rc::gen::inRange<char32_t>(0xe000, 0x110000)}});
  return rc::gen::map(rc::gen::container<std::vector<char32_t>>(point), utf8);
}

/// Equal, with NaN equal to NaN and the zeros different.
template <class T>
bool same_number(T a, T b) {
  return (std::isnan(a) && std::isnan(b)) || std::memcmp(&a, &b, sizeof a) == 0;
}

template <class T>
bool same_numbers(const std::vector<T>& a, const std::vector<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_number<T>);
}

}  // namespace goalpost::test
