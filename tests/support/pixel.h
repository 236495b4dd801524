// Single pixels of rendered frames.
#pragma once

#include "render/frame.h"

namespace goalpost {

struct Pixel {
  int r, g, b;
  bool red() const { return r > 100 && g < r / 3 && b < r / 3; }
  bool blue() const { return b > 100 && r < b / 3; }
};

inline Pixel at(const Frame& p, int x, int y) {
  const int i = 3 * (y * p.width + x);
  return {p.rgb[i], p.rgb[i + 1], p.rgb[i + 2]};
}

}  // namespace goalpost
