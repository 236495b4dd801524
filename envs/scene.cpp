#include "envs/scene.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace goalpost {

using Eigen::Vector3d;

Shape& Scene::add(Shape::Kind kind, const Vector3d& size, const Vector3d& position, Color color) {
  shapes.push_back({.kind = kind, .size = size, .position = position, .color = color});
  return shapes.back();
}

void Scene::connect(Shape::Kind kind, double radius, const Vector3d& from, const Vector3d& to, Color color) {
  const Vector3d way = to - from;
  const double length = way.norm();
  if (length == 0) return;
  const Vector3d position = kind == Shape::Kind::arrow ? from : Vector3d(from + way / 2);
  add(kind, {radius, radius, length / 2}, position, color).rotation =
      Eigen::Quaterniond::FromTwoVectors(Vector3d::UnitZ(), way).toRotationMatrix();
}

void Scene::frame(const Vector3d& low, const Vector3d& high, double azimuth, double elevation) {
  constexpr double kDegree = std::numbers::pi / 180, kHalfView = 22.5 * kDegree;
  const double tall = std::tan(kHalfView), wide = tall * 4 / 3;
  const double a = azimuth * kDegree, e = elevation * kDegree;
  const Vector3d forward(std::cos(e) * std::cos(a), std::cos(e) * std::sin(a), std::sin(e));
  const Vector3d right(std::sin(a), -std::cos(a), 0), up = right.cross(forward);
  camera = {.look_at = (low + high) / 2, .distance = 0, .azimuth = azimuth, .elevation = elevation};
  for (int corner = 0; corner < 8; ++corner) {
    Vector3d p = low;
    for (int axis = 0; axis < 3; ++axis)
      if ((corner >> axis) & 1) p(axis) = high(axis);
    p -= camera.look_at;
    const double across = std::max(std::abs(p.dot(right)) / wide, std::abs(p.dot(up)) / tall);
    camera.distance = std::max(camera.distance, across - p.dot(forward));
  }
  camera.distance *= 1.05;
}

Color color_of(GoalMark mark) {
  switch (mark) {
    case GoalMark::desired:
    case GoalMark::pursued:
      return {0.90f, 0.16f, 0.12f, 1};
    case GoalMark::waypoint:
    case GoalMark::relabeled:
      return {0.95f, 0.62f, 0.10f, 1};
    case GoalMark::subgoal:
      return {0.10f, 0.45f, 0.95f, 1};
    case GoalMark::past_subgoal:
      return {0.55f, 0.75f, 1.00f, 1};
    case GoalMark::trail:
      break;
  }
  return {0.10f, 0.60f, 0.35f, 1};
}

namespace {

Color faded(Color color, float opacity) {
  color.a = opacity;
  return color;
}

// Of which there may be many.
bool is_small(GoalMark mark) {
  return mark == GoalMark::trail || mark == GoalMark::relabeled || mark == GoalMark::past_subgoal;
}

}  // namespace

void mark_point(Scene& scene, const Vector3d& at, double radius, GoalMark mark) {
  const Color color = color_of(mark);
  if (is_small(mark)) {
    scene.add(Shape::Kind::box, Vector3d::Constant((mark == GoalMark::trail ? 0.1 : 0.16) * radius), at, color);
    return;
  }
  scene.add(Shape::Kind::sphere, Vector3d::Constant(0.3 * radius), at, color);
  if (mark == GoalMark::desired) scene.add(Shape::Kind::sphere, Vector3d::Constant(radius), at, faded(color, 0.3f));
}

void mark_floor(Scene& scene, const Vector3d& at, double radius, double pin, GoalMark mark) {
  const Color color = color_of(mark);
  if (is_small(mark)) {
    scene.add(Shape::Kind::box, Vector3d::Constant((mark == GoalMark::trail ? 0.03 : 0.06) * pin), at, color);
    return;
  }
  const Vector3d up = Vector3d::UnitZ();
  if (mark == GoalMark::desired)
    scene.add(Shape::Kind::cylinder, {radius, radius, 0.01 * pin}, at + 0.03 * pin * up, faded(color, 0.35f));
  scene.connect(Shape::Kind::cylinder, 0.03 * pin, at, at + pin * up, color);
  scene.add(Shape::Kind::sphere, Vector3d::Constant(0.12 * pin), at + pin * up, color);
}

}  // namespace goalpost
