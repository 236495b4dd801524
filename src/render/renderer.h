// Frames of scenes, by software: no display, no graphics card. MuJoCo's renderer draws the shapes of every engine.
// The graphics library, OSMesa or else EGL, is loaded when a renderer is made; without one everything else works.
#pragma once

#include <memory>
#include <string>

#include "envs/scene.h"
#include "render/frame.h"

namespace goalpost {

/// Several may exist, in one thread.
class Renderer {
 public:
  /// @param width, height of its frames, in pixels @throws UsageError naming the missing package, std::runtime_error
  /// if the graphics library fails
  Renderer(int width, int height);
  ~Renderer();
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;

  /// The scene, with text in its upper left and lower left corner. @returns valid until the next call
  const Frame& draw(const Scene& scene, const std::string& title = "", const std::string& caption = "");

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Why no renderer can be made here, as a sentence; empty if one can. The environment variable GOALPOST_GRAPHICS =
/// osmesa or egl allows that library only; GOALPOST_OSMESA names another file of OSMesa's.
std::string renderer_problem();

}  // namespace goalpost
