#include "envs/mujoco/fetch_scripts.h"

#include <algorithm>

namespace goalpost {
namespace {

using Eigen::Vector2d;
using Eigen::Vector3d;

constexpr int kGripper = 0, kObject = 3, kFingers = 9;  // where they are in the observation

Vector3d vector(ConstVectorRef obs, int first) { return obs.segment<3>(first).cast<double>(); }

void toward(const Vector3d& distance, double gain, double finger, VectorRef action) {
  action.head<3>() = (gain * distance).cwiseMax(-1).cwiseMin(1).cast<Scalar>();
  action(3) = Scalar(finger);
}

}  // namespace

void fetch_reach_script(ConstVectorRef, ConstVectorRef achieved, ConstVectorRef desired, VectorRef action) {
  toward((desired - achieved).cast<double>(), 20, 0, action);
}

void fetch_push_script(ConstVectorRef obs, ConstVectorRef, ConstVectorRef desired, VectorRef action) {
  const Vector3d p = vector(obs, kGripper), box = vector(obs, kObject);
  const Vector2d to_goal = (desired.cast<double>() - box).head<2>();
  const double distance = to_goal.norm();
  if (distance < 0.015) return toward(Vector3d::Zero(), 0, 0, action);
  const Vector2d along = to_goal / distance, offset = (p - box).head<2>();
  const double ahead = offset.dot(along);
  const Vector2d beside = offset - ahead * along;
  const bool behind = ahead < -0.03 && beside.norm() < 0.02;
  if (behind && p.z() < 0.45) {
    const Vector2d a = 10 * (std::min(distance, 0.06) * along - 1.5 * beside);
    return toward({a.x(), a.y(), 10 * (0.425 - p.z())}, 1, 0, action);
  }
  const double clear = 0.04 / along.cwiseAbs().maxCoeff() + 0.01;  // half of box and fingers
  const Vector2d way = box.head<2>() - clear * along - p.head<2>();
  const double height = way.norm() < 0.02 ? 0.425 : 0.5;
  if (height > 0.45 && p.z() < 0.475) return toward({0, 0, height - p.z()}, 20, 0, action);
  toward({way.x(), way.y(), height - p.z()}, 20, 0, action);
}

void fetch_pick_and_place_script(ConstVectorRef obs, ConstVectorRef, ConstVectorRef desired, VectorRef action) {
  const Vector3d p = vector(obs, kGripper), box = vector(obs, kObject), to_box = box - p;
  const double gap = static_cast<double>(obs.segment<2>(kFingers).sum());
  if (to_box.norm() < 0.02) {
    if (gap > 0.052) return toward(to_box, 10, -1, action);
    return toward(desired.cast<double>() - box, 10, -1, action);
  }
  const bool above = to_box.head<2>().norm() < 0.012;
  toward(above ? to_box : Vector3d(to_box.x(), to_box.y(), to_box.z() + 0.08), 10, 1, action);
}

}  // namespace goalpost
