// The race car and its track as bodies of Bullet, without a task.
//   car     1 base and 12 links, 6 joints with motors: four wheels that hold one speed, two hinges that turn the front
//           wheels in parallel. 5.89 kg, wheelbase 0.325 m, track 0.245 m. There is no collision shape between the
//           axles
//   track   ten walls around an S-shaped corridor, 1.7 m clear; its center line is 20 m long
//   step    0.01 s
//
// The model is that of Bullet's example data as its URDF loader reads it: inertia comes from the collision shapes, so
// that links without a shape are point masses. The model is built in code; no file is read.
#pragma once

#include <BulletDynamics/Featherstone/btMultiBodyJointMotor.h>

#include <Eigen/Core>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "envs/bullet/bullet_env.h"
#include "envs/scene.h"

namespace goalpost {

/// m, on the floor
struct RaceTrackWall {
  double x1, y1, x2, y2;
};
inline constexpr std::array<RaceTrackWall, 10> kRaceTrackWalls{{{0, 0, 2, 0},
                                                                {0, 0, 0, 4},
                                                                {2, 0, 2, 2},
                                                                {0, 4, 8, 4},
                                                                {2, 2, 10, 2},
                                                                {10, 2, 10, 6},
                                                                {10, 6, 15, 6},
                                                                {8, 4, 8, 8},
                                                                {8, 8, 15, 8},
                                                                {15, 6, 15, 8}}};

class RaceCarWorld {
 public:
  static constexpr double kDt = 0.01;  // s
  /// Link numbers of the joints, in the order of coordinates: rear wheels, left hinge and wheel, right hinge and wheel.
  static constexpr std::array kJoints{2, 3, 4, 5, 6, 7};
  static constexpr std::array kWheels{2, 3, 5, 7};
  static constexpr std::array kHinges{4, 6};

  /// Not yet built: set_coordinates comes first.
  /// @param movable_walls 100 kg each, and pushed apart where they overlap; otherwise they are fixed
  explicit RaceCarWorld(bool movable_walls);
  ~RaceCarWorld() { bullet_.clear(); }  // before the shapes go
  RaceCarWorld(const RaceCarWorld&) = delete;
  RaceCarWorld& operator=(const RaceCarWorld&) = delete;

  /// Builds the world anew, with new contacts and a new solver.
  /// @param coordinates pose, velocities and joints of the car, then those of movable walls: coordinate_names()
  void set_coordinates(std::span<const double> coordinates);
  const std::vector<std::string>& coordinate_names() const { return names_; }
  void get_coordinates(std::span<double> out) const;
  /// The coordinates of a car at rest, 0.1 m above the floor, among the walls as they were set up.
  void start_coordinates(double x, double y, double yaw, std::span<double> out) const;
  /// Targets of the motors until the next call.
  /// @param steer [-1, 1] rad, positive to the right @param throttle [0, 1], of a wheel speed of 50 rad/s; 0 brakes
  void drive(double steer, double throttle);
  void step();  ///< kDt. @alloc none
  /// Whether the car was within about 1.6 mm of a wall in the last step.
  bool hits_wall() const;

  Eigen::Vector2d position() const;  ///< m, of the base: the floor's point below the middle of the rear axle
  Eigen::Vector2d velocity() const;  ///< m/s, along the world's axes
  double yaw() const;                ///< rad, in (-pi, pi]; 0 along x
  double angle(int joint) const { return car_->getJointPos(joint); }  ///< rad, of a link's joint
  double speed(int joint) const { return car_->getJointVel(joint); }  ///< rad/s
  /// m, from a point to the first wall in a direction; at most limit.
  double clearance(const Eigen::Vector2d& from, double direction, double limit) const;

  /// Appends floor, walls and car. The chassis between the axles is drawn only; it has no collision shape.
  void draw(Scene& scene) const;

  BulletWorld& bullet() { return bullet_; }
  const btMultiBody& car() const { return *car_; }
  const btMultiBody& wall(std::size_t i) const { return *walls_[i]; }

 private:
  void build_ground();
  void build_car(std::span<const double> coordinates);
  void build_wall(std::size_t i, std::span<const double> coordinates);

  BulletWorld bullet_;
  bool movable_walls_;
  std::vector<std::string> names_;
  std::unique_ptr<btConvexHullShape> wheel_;
  std::unique_ptr<btBoxShape> laser_, camera_, floor_;
  std::unique_ptr<btCompoundShape> point_, ground_;  // point: a link without shape
  std::array<std::unique_ptr<btBoxShape>, kRaceTrackWalls.size()> wall_shapes_;
  btMultiBody* car_ = nullptr;
  std::array<btMultiBody*, kRaceTrackWalls.size()> walls_{};
  std::array<btMultiBodyJointMotor*, kJoints.size()> motors_{};
};

}  // namespace goalpost
