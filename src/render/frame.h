#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace goalpost {

/// A rendered frame: rows from top to bottom, three bytes per pixel: red, green, blue.
struct Frame {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;

  Frame() = default;
  Frame(int w, int h) : width(w), height(h), rgb(std::size_t{3} * w * h) {}
};

}  // namespace goalpost
