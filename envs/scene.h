// The drawing of an environment: shapes in space, a camera, labels. Plain data; no graphics.
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
///   capsule, cylinder, arrow   radius, radius, half length along z; the caps of a capsule are added to it, an arrow
///                    points along +z from its position
///   plane            half sizes along x and y, 0 for an infinite one; normal along z
struct Shape {
  enum class Kind { box, sphere, capsule, cylinder, ellipsoid, plane, arrow } kind = Kind::box;
  Eigen::Vector3d size = Eigen::Vector3d::Constant(0.5);
  Eigen::Vector3d position = Eigen::Vector3d::Zero();      ///< of its center, m
  Eigen::Matrix3d rotation = Eigen::Matrix3d::Identity();  ///< columns are the axes of its frame in the world
  Color color;
  std::string label = {};  ///< text at its center
};

/// Looks at a point. Angles as in MuJoCo: azimuth 90 looks along +y, elevation -90 straight down.
struct Camera {
  Eigen::Vector3d look_at = Eigen::Vector3d::Zero();  ///< m
  double distance = 4;                                ///< m
  double azimuth = 90, elevation = -30;               ///< degrees
};

struct Scene {
  std::vector<Shape> shapes;
  Camera camera;                                      ///< the point of view
  Eigen::Vector3d subject = Eigen::Vector3d::Zero();  ///< position of the agent's body, m; a camera may follow it
  double subject_size = 1;                            ///< m, its diameter

  Shape& add(Shape::Kind kind, const Eigen::Vector3d& size, const Eigen::Vector3d& position, Color color);
  /// A capsule, cylinder or arrow from one point to another. Nothing is added if they are the same.
  void connect(Shape::Kind kind, double radius, const Eigen::Vector3d& from, const Eigen::Vector3d& to, Color color);
  /// Points the camera so that a 4:3 image shows the whole box.
  void frame(const Eigen::Vector3d& low, const Eigen::Vector3d& high, double azimuth, double elevation);
};

/// The role of a goal in a scene.
enum class GoalMark : int {
  desired,       ///< the desired goal of this episode
  waypoint,      ///< another goal of its episode's chain (envs/goal_task.h)
  pursued,       ///< the desired goal of another episode
  relabeled,     ///< replaces a desired goal, by HER
  subgoal,       ///< the agent's current sub-goal
  past_subgoal,  ///< an earlier sub-goal
  trail,         ///< achieved earlier in the episode
};
Color color_of(GoalMark mark);

/// A dot, and around a desired goal the sphere of success.
void mark_point(Scene& scene, const Eigen::Vector3d& at, double radius, GoalMark mark);
/// The same on a floor at the height at.z(): a pin that is visible from a distance, and around a desired goal the disc
/// of success.
void mark_floor(Scene& scene, const Eigen::Vector3d& at, double radius, double pin, GoalMark mark);

}  // namespace goalpost
