// What an environment looks like, for whoever draws it: shapes in space, a camera, captions. Plain data; no graphics.
#pragma once

#include <Eigen/Core>
#include <array>
#include <string>
#include <vector>

namespace goalpost {

struct Color {
  float r = 1, g = 1, b = 1, a = 1;  ///< in [0, 1]; a: opacity
};

/// A body in space. Sizes in m, by kind:
///   box, ellipsoid   half sizes along the axes of its frame
///   sphere           radius
///   capsule, cylinder, arrow   radius, radius, half length along z; the caps of a capsule come on top, an arrow points
///                    along +z from its position
///   plane            half sizes along x and y, 0 for an endless one; normal along z
struct Shape {
  enum class Kind { box, sphere, capsule, cylinder, ellipsoid, plane, arrow } kind = Kind::box;
  Eigen::Vector3d size = Eigen::Vector3d::Constant(0.5);
  Eigen::Vector3d position = Eigen::Vector3d::Zero();      ///< of its middle, m
  Eigen::Matrix3d rotation = Eigen::Matrix3d::Identity();  ///< columns are the axes of its frame in the world
  Color color;
  std::string label = {};  ///< text at its middle
};

/// Looks at a point. Angles as MuJoCo has them: azimuth 90 looks along +y, elevation -90 straight down.
struct Camera {
  Eigen::Vector3d look_at = Eigen::Vector3d::Zero();  ///< m
  double distance = 4;                                ///< m
  double azimuth = 90, elevation = -30;               ///< degrees
};

struct Scene {
  std::vector<Shape> shapes;
  Camera camera;                                      ///< from which all is seen
  Eigen::Vector3d subject = Eigen::Vector3d::Zero();  ///< what acts: what a camera may follow, m
  double subject_size = 1;                            ///< m, its diameter

  Shape& add(Shape::Kind kind, const Eigen::Vector3d& size, const Eigen::Vector3d& position, Color color);
  /// A capsule, cylinder or arrow from one point to another. Nothing is added if they are the same.
  void connect(Shape::Kind kind, double radius, const Eigen::Vector3d& from, const Eigen::Vector3d& to, Color color);
  /// Turns the camera so that a box is seen whole in an image of 4:3.
  void frame(const Eigen::Vector3d& low, const Eigen::Vector3d& high, double azimuth, double elevation);
};

/// Why a goal is shown.
enum class GoalMark : int {
  desired,       ///< the one pursued
  waypoint,      ///< another of its episode's chain (envs/goal_task.h)
  pursued,       ///< in another episode
  relabeled,     ///< put in place of one that was pursued, by HER
  subgoal,       ///< what an agent has set itself
  past_subgoal,  ///< and had set itself before
  trail,         ///< achieved on the way
};
Color color_of(GoalMark mark);

/// A dot, and around a desired goal the sphere of success.
void mark_point(Scene& scene, const Eigen::Vector3d& at, double radius, GoalMark mark);
/// The same on a floor at the height at.z(): a pin that is seen from afar, and around a desired goal the disc of
/// success.
void mark_floor(Scene& scene, const Eigen::Vector3d& at, double radius, double pin, GoalMark mark);

}  // namespace goalpost
