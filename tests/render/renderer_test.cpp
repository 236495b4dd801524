// From a scene to a frame.
#include "render/renderer.h"

#include <gtest/gtest.h>

#include <Eigen/Geometry>
#include <array>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "support/pixel.h"

namespace goalpost {
namespace {

using Eigen::Vector3d;

// Where a camera sees a point: column and row from the upper left corner.
std::array<int, 2> seen_at(const Camera& c, const Vector3d& point, const Frame& p) {
  const double a = c.azimuth * std::numbers::pi / 180, e = c.elevation * std::numbers::pi / 180;
  const Vector3d forward(std::cos(e) * std::cos(a), std::cos(e) * std::sin(a), std::sin(e));
  const Vector3d right(std::sin(a), -std::cos(a), 0), up = right.cross(forward);
  const Vector3d way = point - (c.look_at - c.distance * forward);
  const double scale = p.height / 2. / std::tan(std::numbers::pi / 8) / way.dot(forward);
  return {static_cast<int>(std::lround(p.width / 2. + scale * way.dot(right))),
          static_cast<int>(std::lround(p.height / 2. - scale * way.dot(up)))};
}

const Color kRed{1, 0, 0, 1}, kBlue{0, 0, 1, 1};

TEST(Renderer, DrawsABoxWhereTheCameraSeesIt) {
  Renderer renderer(160, 120);
  Scene scene;
  scene.add(Shape::Kind::box, {0.1, 0.1, 0.1}, {0.5, 0.2, 0.6}, kRed);     // to the right and above
  scene.add(Shape::Kind::sphere, {0.1, 0, 0}, {-0.7, -0.1, -0.5}, kBlue);  // to the left and below
  scene.camera = {.look_at = {0.1, 0, 0.1}, .distance = 3, .azimuth = 80, .elevation = -15};
  const Frame frame = renderer.draw(scene);
  ASSERT_EQ(frame.width, 160);
  ASSERT_EQ(frame.height, 120);
  const auto [x, y] = seen_at(scene.camera, {0.5, 0.2, 0.6}, frame);
  EXPECT_GT(x, 80);
  EXPECT_LT(y, 60);
  EXPECT_TRUE(at(frame, x, y).red());
  const auto [u, v] = seen_at(scene.camera, {-0.7, -0.1, -0.5}, frame);
  EXPECT_TRUE(at(frame, u, v).blue());
  EXPECT_FALSE(at(frame, 2, 2).red() || at(frame, 2, 2).blue());
}

TEST(Renderer, DrawsCapsulesAndArrowsToTheirEnds) {
  Renderer renderer(160, 120);
  for (const Shape::Kind kind : {Shape::Kind::capsule, Shape::Kind::cylinder, Shape::Kind::arrow}) {
    Scene scene;
    const Vector3d from(-0.6, 0, -0.5), to(0.7, 0, 0.6), way = to - from;
    scene.connect(kind, 0.06, from, to, kRed);
    scene.camera = {.look_at = {0, 0, 0}, .distance = 3, .azimuth = 90, .elevation = 0};
    const Frame frame = renderer.draw(scene);
    for (const double part : {0.05, 0.5, 0.93}) {
      const auto [x, y] = seen_at(scene.camera, from + part * way, frame);
      EXPECT_TRUE(at(frame, x, y).red()) << static_cast<int>(kind) << " at " << part;
    }
    for (const double part : {-0.15, 1.15}) {
      const auto [x, y] = seen_at(scene.camera, from + part * way, frame);
      EXPECT_FALSE(at(frame, x, y).red()) << static_cast<int>(kind) << " at " << part;
    }
  }
}

TEST(Renderer, RepeatsItselfAlsoBesideAnother) {
  Renderer one(64, 48), other(80, 64);
  Scene scene;
  for (int i = 0; i < 300; ++i)
    scene.add(Shape::Kind::box, {0.05, 0.05, 0.05}, {0.1 * (i % 20) - 1, 0.1 * (i / 20.) - 1, 0}, kRed);
  const Frame first = one.draw(scene, "title", "caption");
  EXPECT_EQ(other.draw(scene).width, 80);
  EXPECT_EQ(one.draw(scene, "title", "caption").rgb, first.rgb);
  EXPECT_NE(one.draw(scene, "another", "caption").rgb, first.rgb);
}

TEST(Renderer, RefusesAnEmptyFrame) { EXPECT_THROW(Renderer(0, 10), std::invalid_argument); }

}  // namespace
}  // namespace goalpost
