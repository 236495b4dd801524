#include "envs/bullet/race_car_world.h"

#include <BulletDynamics/Featherstone/btMultiBodyJointLimitConstraint.h>

#include <algorithm>
#include <cmath>

namespace goalpost {
namespace {

using Eigen::Vector2d;

constexpr double kMargin = 0.001;  // m, of collision shapes
constexpr double kWheelRadius = 0.05, kWheelWidth = 0.045;
constexpr int kWheelCorners = 32;
constexpr double kLinkFriction = 0.5, kGroundFriction = 1, kWallFriction = 1, kWallRestitution = 0.7;
constexpr double kWallWidth = 0.3, kWallHeight = 0.5, kWallMass = 100, kWallDamping = 0.5;
constexpr double kStartHeight = 0.1;
constexpr double kWheelSpeed = 50;       // rad/s at full throttle
constexpr double kWheelForce = 100;      // N m, of a wheel's motor
constexpr double kHingeForce = 100'000;  // N m, the default where a motor's user gives none
constexpr double kHingeGain = 0.1;       // of the remaining angle is covered in a step
constexpr double kQuarter = 1.5708;      // the model's own rounding of pi/2

enum class Joint { fixed, turns };
enum class Part { none, wheel, laser, camera };

struct Link {
  int parent;  // link, -1 is the base
  Joint joint;
  std::array<double, 3> origin, rpy;  // of the joint in the parent's frame: m, rad
  std::array<double, 3> axis;
  double mass;
  std::array<double, 3> center;  // of mass, in the link's frame
  Part shape;                    // around the center of mass
};

constexpr double kBaseMass = 0.1;
// parent, joint; origin, rpy, axis; mass, center, shape
constexpr std::array<Link, 12> kLinks{{
    {-1, Joint::fixed, {0, 0, 0.05}, {}, {}, 0.1, {}, Part::none},                                        // chassis
    {0, Joint::fixed, {}, {}, {}, 4.0, {0.1477, 0, 0}, Part::none},                                       // its mass
    {0, Joint::turns, {0, 0.1, 0}, {kQuarter, 0, 0}, {0, 0, -1}, 0.34055, {0, 0, -0.0225}, Part::wheel},  // rear left
    {0, Joint::turns, {0, -0.1, 0}, {kQuarter, 0, 0}, {0, 0, -1}, 0.34055, {0, 0, 0.0225}, Part::wheel},  // rear right
    {0, Joint::turns, {0.325, 0.1, 0}, {0, kQuarter, 0}, {-1, 0, 0}, 0.1, {}, Part::none},                // hinge
    {4, Joint::turns, {}, {kQuarter, 0, 0}, {0, 0, -1}, 0.34055, {0, 0, -0.0225}, Part::wheel},           // front left
    {0, Joint::turns, {0.325, -0.1, 0}, {0, kQuarter, 0}, {-1, 0, 0}, 0.1, {}, Part::none},               // hinge
    {6, Joint::turns, {}, {kQuarter, 0, 0}, {0, 0, -1}, 0.34055, {0, 0, 0.0225}, Part::wheel},            // front right
    {0, Joint::fixed, {0.265, 0, 0.075}, {}, {}, 0.13, {}, Part::laser},
    {0, Joint::fixed, {0.390, 0, 0.04}, {}, {}, 1e-5, {}, Part::camera},
    {9, Joint::fixed, {0, 0.06, 0}, {}, {}, 1e-5, {}, Part::none},   // left eye
    {9, Joint::fixed, {0, -0.06, 0}, {}, {}, 1e-5, {}, Part::none},  // right eye
}};
constexpr int kLimitedHinge = 4;  // the right one has no limit in the model

constexpr std::size_t kBodyNumbers = 13;  // coordinates of a body: pose, velocity, spin

btVector3 vector(const std::array<double, 3>& v) { return {v[0], v[1], v[2]}; }

// Extrinsic x-y-z angles, as in URDF.
btQuaternion rotation(const std::array<double, 3>& rpy) {
  btQuaternion q;
  q.setEulerZYX(rpy[2], rpy[1], rpy[0]);
  return q;
}

btVector3 inertia_of(const btCollisionShape& shape, double mass) {
  btVector3 inertia(0, 0, 0);
  if (mass > 0) shape.calculateLocalInertia(mass, inertia);
  return inertia;
}

// Pose and velocity of a body, in the order of the coordinates: position, rotation (x, y, z, w), velocity, spin.
void place(btMultiBody& body, std::span<const double> c) {
  body.setBaseWorldTransform(
      btTransform(btQuaternion(c[3], c[4], c[5], c[6]).normalized(), btVector3(c[0], c[1], c[2])));
  body.setBaseVel({c[7], c[8], c[9]});
  body.setBaseOmega({c[10], c[11], c[12]});
}

void read(const btMultiBody& body, std::span<double> c) {
  const btTransform t = body.getBaseWorldTransform();
  const btVector3 p = t.getOrigin(), v = body.getBaseVel(), spin = body.getBaseOmega();
  const btQuaternion q = t.getRotation();
  const std::array values{p.x(), p.y(), p.z(), q.x(),    q.y(),    q.z(),   q.w(),
                          v.x(), v.y(), v.z(), spin.x(), spin.y(), spin.z()};
  std::copy(values.begin(), values.end(), c.begin());
}

std::array<double, kBodyNumbers> wall_at_rest(std::size_t i) {
  const RaceTrackWall& w = kRaceTrackWalls[i];
  const double half = std::atan2(w.y2 - w.y1, w.x2 - w.x1) / 2;
  return {(w.x1 + w.x2) / 2, (w.y1 + w.y2) / 2, kWallHeight / 2, 0, 0, std::sin(half), std::cos(half)};
}

template <class T>
std::span<T> of_wall(std::size_t i, std::span<T> coordinates) {
  return coordinates.last((kRaceTrackWalls.size() - i) * kBodyNumbers).first(kBodyNumbers);
}

std::vector<std::string> names_of(bool movable_walls) {
  static constexpr std::array kBody{"x",  "y",  "z",  "qx",     "qy",     "qz",    "qw",
                                    "vx", "vy", "vz", "spin_x", "spin_y", "spin_z"};
  static constexpr std::array kJointNames{"rear_left",  "rear_right",  "left_hinge",
                                          "front_left", "right_hinge", "front_right"};
  std::vector<std::string> names(kBody.begin(), kBody.end());
  for (const char* joint : kJointNames) names.push_back(joint);
  for (const char* joint : kJointNames) names.push_back(std::string(joint) + "_speed");
  if (movable_walls)
    for (std::size_t i = 0; i < kRaceTrackWalls.size(); ++i)
      for (const char* name : kBody) names.push_back("wall" + std::to_string(i) + "_" + name);
  return names;
}

}  // namespace

RaceCarWorld::RaceCarWorld(bool movable_walls)
    : bullet_(kDt), movable_walls_(movable_walls), names_(names_of(movable_walls)) {
  const BulletMemory::Use use = bullet_.use_memory();
  // Bullet's own cylinder is round; the model's loader makes a prism of it.
  std::array<btVector3, 2 * kWheelCorners> corners;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const double angle = SIMD_2_PI * static_cast<double>(i / 2) / kWheelCorners;
    const double side = i % 2 == 0 ? 1 : -1;
    corners[i].setValue(kWheelRadius * std::sin(angle), kWheelRadius * std::cos(angle), side * kWheelWidth / 2);
  }
  wheel_ = bullet_.make<btConvexHullShape>(&corners[0].x(), static_cast<int>(corners.size()), sizeof(btVector3));
  wheel_->setMargin(kMargin);
  wheel_->recalcLocalAabb();
  wheel_->optimizeConvexHull();

  const auto box = [&](double length, double width, double height) {
    auto shape = bullet_.make<btBoxShape>(btVector3(length / 2, width / 2, height / 2));
    shape->setMargin(kMargin);
    return shape;
  };
  laser_ = box(0.1, 0.1, 0.1);
  camera_ = box(0.033, 0.175, 0.030);
  floor_ = box(200, 200, 10);
  for (std::size_t i = 0; i < kRaceTrackWalls.size(); ++i) {
    const RaceTrackWall& w = kRaceTrackWalls[i];
    wall_shapes_[i] = box(std::hypot(w.x2 - w.x1, w.y2 - w.y1), kWallWidth, kWallHeight);
  }
  point_ = bullet_.make<btCompoundShape>();
  point_->setMargin(kMargin);
  ground_ = bullet_.make<btCompoundShape>();
  ground_->setMargin(kMargin);
  ground_->addChildShape(btTransform(btQuaternion::getIdentity(), btVector3(0, 0, -5)), floor_.get());
}

void RaceCarWorld::build_ground() {
  btMultiBody& body = bullet_.make_body(0, 0, {0, 0, 0});
  body.finalizeMultiDof();
  bullet_.set_shape(body, -1, *ground_, kGroundFriction, 0);
  bullet_.add(body);
}

void RaceCarWorld::build_car(std::span<const double> coordinates) {
  const auto shape_of = [&](const Link& link) -> btCollisionShape& {
    switch (link.shape) {
      case Part::wheel:
        return *wheel_;
      case Part::laser:
        return *laser_;
      case Part::camera:
        return *camera_;
      case Part::none:
        break;
    }
    return *point_;
  };
  btMultiBody& body = bullet_.make_body(static_cast<int>(kLinks.size()), kBaseMass, inertia_of(*point_, kBaseMass));
  car_ = &body;
  // Bullet's links turn about their centers of mass, the model's about their joints.
  for (std::size_t i = 0; i < kLinks.size(); ++i) {
    const Link& link = kLinks[i];
    const auto number = static_cast<int>(i);
    const btVector3 parent_center = link.parent < 0 ? btVector3(0, 0, 0) : vector(kLinks[link.parent].center);
    const btQuaternion from_parent = rotation(link.rpy).inverse();
    const btVector3 pivot = vector(link.origin) - parent_center, to_center = vector(link.center);
    const btVector3 inertia = inertia_of(shape_of(link), link.mass);
    if (link.joint == Joint::fixed)
      body.setupFixed(number, link.mass, inertia, link.parent, from_parent, pivot, to_center);
    else
      body.setupRevolute(number, link.mass, inertia, link.parent, from_parent, vector(link.axis), pivot, to_center,
                         true);
  }
  body.finalizeMultiDof();
  place(body, coordinates);
  for (std::size_t j = 0; j < kJoints.size(); ++j) {
    body.setJointPos(kJoints[j], coordinates[kBodyNumbers + j]);
    body.setJointVel(kJoints[j], coordinates[kBodyNumbers + kJoints.size() + j]);
  }
  bullet_.set_shape(body, -1, *point_, kLinkFriction, 0);
  for (std::size_t i = 0; i < kLinks.size(); ++i)
    bullet_.set_shape(body, static_cast<int>(i), shape_of(kLinks[i]), kLinkFriction, 0);
  bullet_.add(body);

  bullet_.add_constraint<btMultiBodyJointLimitConstraint>(&body, kLimitedHinge, -1, 1);
  for (std::size_t j = 0; j < kJoints.size(); ++j)
    motors_[j] = &bullet_.add_constraint<btMultiBodyJointMotor>(&body, kJoints[j], 0, kWheelForce * kDt);
  drive(0, 0);
}

void RaceCarWorld::build_wall(std::size_t i, std::span<const double> coordinates) {
  const double mass = movable_walls_ ? kWallMass : 0;
  btMultiBody& body = bullet_.make_body(0, mass, inertia_of(*wall_shapes_[i], mass));
  walls_[i] = &body;
  body.setLinearDamping(kWallDamping);
  body.setAngularDamping(kWallDamping);
  body.finalizeMultiDof();
  place(body, coordinates);
  bullet_.set_shape(body, -1, *wall_shapes_[i], kWallFriction, kWallRestitution);
  bullet_.add(body);
}

void RaceCarWorld::start_coordinates(double x, double y, double yaw, std::span<double> out) const {
  std::fill(out.begin(), out.end(), 0);
  const std::array pose{x, y, kStartHeight, 0., 0., std::sin(yaw / 2), std::cos(yaw / 2)};
  std::copy(pose.begin(), pose.end(), out.begin());
  if (!movable_walls_) return;
  for (std::size_t i = 0; i < walls_.size(); ++i) {
    const auto wall = wall_at_rest(i);
    std::copy(wall.begin(), wall.end(), of_wall(i, out).begin());
  }
}

void RaceCarWorld::set_coordinates(std::span<const double> values) {
  const BulletMemory::Use use = bullet_.use_memory();
  bullet_.clear();
  build_ground();
  build_car(values);
  for (std::size_t i = 0; i < walls_.size(); ++i)
    build_wall(i, movable_walls_ ? of_wall(i, values) : std::span<const double>(wall_at_rest(i)));
}

void RaceCarWorld::get_coordinates(std::span<double> out) const {
  read(*car_, out);
  for (std::size_t j = 0; j < kJoints.size(); ++j) {
    out[kBodyNumbers + j] = angle(kJoints[j]);
    out[kBodyNumbers + kJoints.size() + j] = speed(kJoints[j]);
  }
  if (movable_walls_)
    for (std::size_t i = 0; i < walls_.size(); ++i) read(*walls_[i], of_wall(i, out));
}

void RaceCarWorld::drive(double steer, double throttle) {
  for (std::size_t j = 0; j < kJoints.size(); ++j) {
    btMultiBodyJointMotor& motor = *motors_[j];
    if (kJoints[j] == kHinges[0] || kJoints[j] == kHinges[1]) {
      motor.setVelocityTarget(0, 1);
      motor.setPositionTarget(-std::clamp(steer, -1., 1.), kHingeGain);
      motor.setMaxAppliedImpulse(kHingeForce * kDt);
    } else {
      motor.setPositionTarget(0, 0);
      motor.setVelocityTarget(kWheelSpeed * throttle, 1);
      motor.setMaxAppliedImpulse(kWheelForce * kDt);
    }
  }
}

void RaceCarWorld::step() { bullet_.step(); }

bool RaceCarWorld::hits_wall() const {
  return bullet_.any_contact([&](const btMultiBody* a, const btMultiBody* b) {
    return a == car_ && std::find(walls_.begin(), walls_.end(), b) != walls_.end();
  });
}

Vector2d RaceCarWorld::position() const { return {car_->getBasePos().x(), car_->getBasePos().y()}; }

Vector2d RaceCarWorld::velocity() const {
  const btVector3 v = car_->getBaseVel();
  return {v.x(), v.y()};
}

double RaceCarWorld::yaw() const {
  const btQuaternion q = car_->getBaseWorldTransform().getRotation();
  return std::atan2(2 * (q.w() * q.z() + q.x() * q.y()), 1 - 2 * (q.y() * q.y() + q.z() * q.z()));
}

double RaceCarWorld::clearance(const Vector2d& from, double direction, double limit) const {
  double nearest = limit;
  for (std::size_t i = 0; i < walls_.size(); ++i) {
    const btTransform to_wall = walls_[i]->getBaseWorldTransform().inverse();
    const btVector3 start = to_wall * btVector3(from.x(), from.y(), kWallHeight / 2);
    const btVector3 along = to_wall.getBasis() * btVector3(std::cos(direction), std::sin(direction), 0);
    const btVector3 half = wall_shapes_[i]->getHalfExtentsWithMargin();
    // A ray is inside a rectangle where it is between both pairs of sides.
    double enter = 0, leave = nearest;
    for (int axis = 0; axis < 2; ++axis) {
      const double first = (-half[axis] - start[axis]) / along[axis], second = (half[axis] - start[axis]) / along[axis];
      enter = std::max(enter, std::min(first, second));
      leave = std::min(leave, std::max(first, second));
    }
    if (enter < leave) nearest = enter;
  }
  return nearest;
}

void RaceCarWorld::draw(Scene& scene) const {
  using Kind = Shape::Kind;
  const auto vector3 = [](const btVector3& v) { return Eigen::Vector3d(v.x(), v.y(), v.z()); };
  const auto add = [&](Kind kind, const Eigen::Vector3d& size, const btTransform& t, Color color) {
    Shape& shape = scene.add(kind, size, vector3(t.getOrigin()), color);
    for (int i = 0; i < 3; ++i) shape.rotation.row(i) = vector3(t.getBasis()[i]).transpose();
  };
  const auto add_box = [&](const btBoxShape& box, const btTransform& t, Color color) {
    add(Kind::box, vector3(box.getHalfExtentsWithMargin()), t, color);
  };
  const Color dark{0.15f, 0.15f, 0.15f, 1}, paint{0.10f, 0.35f, 0.75f, 1};
  scene.add(Kind::plane, {30, 30, 0}, {0, 0, 0}, {0.80f, 0.80f, 0.80f, 1});
  for (std::size_t i = 0; i < walls_.size(); ++i)
    add_box(*wall_shapes_[i], walls_[i]->getBaseWorldTransform(), {0.72f, 0.55f, 0.40f, 1});
  for (std::size_t i = 0; i < kLinks.size(); ++i) {
    const btTransform& t = car_->getLinkCollider(static_cast<int>(i))->getWorldTransform();
    if (kLinks[i].shape == Part::wheel)
      add(Kind::cylinder, {kWheelRadius, kWheelRadius, kWheelWidth / 2}, t, dark);
    else if (kLinks[i].shape == Part::laser)
      add_box(*laser_, t, dark);
    else if (kLinks[i].shape == Part::camera)
      add_box(*camera_, t, dark);
  }
  add(Kind::box, {0.21, 0.07, 0.025},
      car_->getBaseWorldTransform() * btTransform(btQuaternion::getIdentity(), {0.16, 0, 0.075}), paint);
}

}  // namespace goalpost
