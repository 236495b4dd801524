#include "envs/bullet/race_car_driver.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

namespace goalpost {
namespace {

using Eigen::Vector2d;

constexpr int kVelocity = 2, kYaw = 4;  // where they are in the observation
constexpr double kWheelbase = 0.325;    // m

// A smooth line through the track, m.
const std::array kLine{Vector2d(0.5, 0.5), Vector2d(0.7, 2.2), Vector2d(1.5, 3), Vector2d(3, 3),  Vector2d(8, 3),
                       Vector2d(9, 3.8),   Vector2d(9, 6),     Vector2d(9.9, 7), Vector2d(11, 7), Vector2d(14.8, 7)};

// The point of the line after s m; beyond its end on the extension of its last straight.
Vector2d at(double s) {
  for (std::size_t i = 1;; ++i) {
    const double part = (kLine[i] - kLine[i - 1]).norm();
    if (s < part || i + 1 == kLine.size()) return kLine[i - 1] + s / part * (kLine[i] - kLine[i - 1]);
    s -= part;
  }
}

double heading(double s) {
  const Vector2d d = at(s + 0.3) - at(s);
  return std::atan2(d.y(), d.x());
}

// Position along the line of its point nearest to p, m.
double progress(const Vector2d& p) {
  double nearest = std::numeric_limits<double>::infinity(), found = 0, before = 0;
  for (std::size_t i = 1; i < kLine.size(); ++i) {
    const Vector2d way = kLine[i] - kLine[i - 1];
    const double part = way.norm(), s = std::clamp((p - kLine[i - 1]).dot(way) / part, 0., part);
    if (const double d = (kLine[i - 1] + s / part * way - p).norm(); d < nearest) nearest = d, found = before + s;
    before += part;
  }
  return found;
}

}  // namespace

Vector2d drive_race_car(ConstVectorRef obs, double straight, double corner) {
  const Vector2d p = obs.head<2>().cast<double>();
  const double speed = obs.segment<2>(kVelocity).cast<double>().norm(), yaw = static_cast<double>(obs(kYaw));
  const double done = progress(p);
  const Vector2d ahead = at(done + 0.5 + 0.15 * speed) - p;
  const double bearing = std::atan2(ahead.y(), ahead.x()) - yaw;
  const double steer = std::atan2(2 * kWheelbase * std::sin(bearing), ahead.norm());
  const double turn = heading(done + 0.6 * (0.3 + speed)) - heading(done);
  const double sharp = std::min(1., std::abs(std::remainder(turn, 2 * std::numbers::pi)) / 0.8);
  return {std::clamp(-steer, -1., 1.), (1 - sharp) * straight + sharp * corner};
}

void race_car_script(ConstVectorRef obs, ConstVectorRef, ConstVectorRef, VectorRef action) {
  const Vector2d a = drive_race_car(obs, 0.8, 0.35);
  action << Scalar(a.x()), Scalar(2 * a.y() - 1);
}

}  // namespace goalpost
