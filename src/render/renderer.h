// Pictures of scenes, by software: no display, no graphics card. MuJoCo's renderer draws the shapes of every engine.
// The graphics library, OSMesa or else EGL, is loaded when a renderer is made; without one everything else works.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "envs/scene.h"

namespace goalpost {

/// Rows from top to bottom, three bytes per point: red, green, blue.
struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;

  Picture() = default;
  Picture(int w, int h) : width(w), height(h), rgb(3 * static_cast<std::size_t>(w) * static_cast<std::size_t>(h)) {}
};

/// Several may exist, in one thread.
class Renderer {
 public:
  /// @param width, height of its pictures, in points @throws UsageError naming the missing package, std::runtime_error
  /// if the graphics library fails
  Renderer(int width, int height);
  ~Renderer();
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;

  /// The scene, with text in its upper left and lower left corner. @returns valid until the next call
  const Picture& draw(const Scene& scene, const std::string& title = "", const std::string& caption = "");

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Why no renderer can be made here, as a sentence; empty if one can. The environment variable GOALPOST_GRAPHICS =
/// osmesa or egl allows that library only; GOALPOST_OSMESA names another file of OSMesa's.
std::string renderer_problem();

}  // namespace goalpost
