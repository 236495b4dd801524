// How environments draw themselves.
#include "envs/scene.h"

#include <gmock/gmock.h>

#include <Eigen/Geometry>
#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

#include "envs/classic/point_reach.h"
#include "envs/drawable.h"
#include "envs/goal_task.h"
#include "envs/registry.h"
#include "envs/vector_env.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

using Eigen::Vector3d;
using testing::ElementsAre;

bool same_color(const Color& a, const Color& b) { return a.r == b.r && a.g == b.g && a.b == b.b; }

Scene world_of(const Env& env) {
  Scene scene;
  drawing_of(env).draw(scene);
  return scene;
}

std::vector<Shape> goals_of(const Env& env) {
  Scene scene;
  draw_goals(env, scene);
  return scene.shapes;
}

// Where marks of a kind stand: their bodies' lowest points, each once.
std::vector<Vector3d> places(const std::vector<Shape>& shapes, GoalMark mark) {
  std::vector<Vector3d> found;
  for (const Shape& s : shapes) {
    if (!same_color(s.color, color_of(mark))) continue;
    const bool known = std::any_of(found.begin(), found.end(),
                                   [&](const Vector3d& p) { return (p - s.position).head<2>().norm() < 1e-9; });
    if (!known) found.push_back(s.position);
  }
  return found;
}

void expect_sound(const Shape& s) {
  EXPECT_TRUE(s.size.allFinite() && (s.size.array() >= 0).all()) << s.size.transpose();
  EXPECT_TRUE(s.position.allFinite()) << s.position.transpose();
  EXPECT_TRUE((s.rotation.transpose() * s.rotation).isIdentity(1e-6)) << s.rotation;
  EXPECT_NEAR(s.rotation.determinant(), 1, 1e-6);
  for (const float c : {s.color.r, s.color.g, s.color.b, s.color.a}) EXPECT_TRUE(c >= 0 && c <= 1) << c;
  EXPECT_LT(s.label.size(), 100u);
}

class DrawnEnvironment : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Env> make() const {
    const EnvEntry& entry = find_environment(GetParam());
    return entry.world(*entry.settings())();
  }
};

Eigen::VectorXd some_action(const ActionSpace& space) {
  if (space.kind == ActionSpace::Kind::discrete) return Eigen::VectorXd::Zero(space.dim);
  return (space.low + Scalar(0.75) * (space.high - space.low)).cast<double>();
}

TEST_P(DrawnEnvironment, IsMadeOfSoundShapesAndSeenByACamera) {
  const std::unique_ptr<Env> env = make();
  Rng rng(3);
  env->reset(rng);
  const Scene scene = world_of(*env);
  EXPECT_GE(scene.shapes.size(), 2u);
  for (const Shape& s : scene.shapes) expect_sound(s);
  EXPECT_TRUE(scene.camera.look_at.allFinite());
  EXPECT_GT(scene.camera.distance, 0);
  EXPECT_TRUE(std::isfinite(scene.camera.distance));
  EXPECT_TRUE(scene.subject.allFinite());
  EXPECT_GT(scene.subject_size, 0);
}

TEST_P(DrawnEnvironment, ShowsTheDesiredGoalWhereItLies) {
  const std::unique_ptr<Env> env = make();
  const EnvSpec& s = env->spec();
  Rng rng(3);
  env->reset(rng);
  const std::vector<Shape> shapes = goals_of(*env);
  for (const Shape& shape : shapes) expect_sound(shape);
  if (s.goal.dim == 0) {
    EXPECT_TRUE(shapes.empty());
    return;
  }
  ASSERT_FALSE(shapes.empty());
  if (s.goal.dim > 3) return;  // no place in space
  Vector obs(s.obs_dim), achieved(s.goal.dim), desired(s.goal.dim);
  env->observe({obs, achieved, desired});
  const std::vector<Vector3d> at = places(shapes, GoalMark::desired);
  ASSERT_EQ(at.size(), 1u);
  EXPECT_NEAR(at[0].x(), double(desired(0)), 1e-5);
  EXPECT_NEAR(at[0].y(), double(desired(1)), 1e-5);
}

TEST_P(DrawnEnvironment, MovesInThePictureAndNotByIt) {
  const std::unique_ptr<Env> env = make(), other = make();
  Rng rng(3), same(3);
  env->reset(rng);
  other->reset(same);
  const Scene before = world_of(*env);
  for (int i = 0; i < 3; ++i) {
    goals_of(*env);
    world_of(*env);
    env->step(some_action(env->spec().action));
    other->step(some_action(env->spec().action));
  }
  EXPECT_EQ(snapshot(*env), snapshot(*other));
  const Scene after = world_of(*env);
  ASSERT_GE(after.shapes.size(), before.shapes.size());
  bool moved = false;
  for (std::size_t i = 0; i < before.shapes.size(); ++i)
    moved |= after.shapes[i].position != before.shapes[i].position || after.shapes[i].size != before.shapes[i].size;
  EXPECT_TRUE(moved);
}

INSTANTIATE_TEST_SUITE_P(AllEnvironments, DrawnEnvironment, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const EnvEntry& e : environments()) names.emplace_back(e.name);
                           return names;
                         }()),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace_if(
                               name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

TEST(Scene, ConnectsTwoPoints) {
  Scene scene;
  const Vector3d a(1, 2, 3), b(2, 0, 5);
  scene.connect(Shape::Kind::capsule, 0.1, a, b, {});
  scene.connect(Shape::Kind::arrow, 0.1, a, b, {});
  scene.connect(Shape::Kind::capsule, 0.1, a, a, {});
  ASSERT_EQ(scene.shapes.size(), 2u);
  const Shape &capsule = scene.shapes[0], &arrow = scene.shapes[1];
  EXPECT_TRUE((capsule.position - capsule.size.z() * capsule.rotation.col(2)).isApprox(a, 1e-9));
  EXPECT_TRUE((capsule.position + capsule.size.z() * capsule.rotation.col(2)).isApprox(b, 1e-9));
  EXPECT_TRUE((arrow.position + 2 * arrow.size.z() * arrow.rotation.col(2)).isApprox(b, 1e-9));
}

TEST(Scene, FramesABoxFromAnySide) {
  const Vector3d low(-3, 1, 0), high(5, 2, 0.5);
  for (const double azimuth : {0., 45., 90., 200.})
    for (const double elevation : {-89., -40., -5.}) {
      Scene scene;
      scene.frame(low, high, azimuth, elevation);
      const Camera& c = scene.camera;
      const double a = c.azimuth * std::numbers::pi / 180, e = c.elevation * std::numbers::pi / 180;
      const Vector3d forward(std::cos(e) * std::cos(a), std::cos(e) * std::sin(a), std::sin(e));
      const Vector3d right(std::sin(a), -std::cos(a), 0), up = right.cross(forward);
      const Vector3d eye = c.look_at - c.distance * forward;
      double most = 0;
      for (int corner = 0; corner < 8; ++corner) {
        const Vector3d p = Vector3d(corner & 1 ? low.x() : high.x(), corner & 2 ? low.y() : high.y(),
                                    corner & 4 ? low.z() : high.z()) -
                           eye;
        const double tall = std::tan(std::numbers::pi / 8) * p.dot(forward);
        most = std::max({most, std::abs(p.dot(up)) / tall, std::abs(p.dot(right)) / (tall * 4 / 3)});
      }
      EXPECT_LE(most, 1) << azimuth << ", " << elevation;
      EXPECT_GE(most, 0.8) << azimuth << ", " << elevation;
    }
}

TEST(DrawnGoalTask, ShowsTheWayPointsThatAreAhead) {
  GoalTaskConfig c;
  c.offset = {0.3, 0.6};
  c.waypoints = 3;
  const std::unique_ptr<Env> env = with_goal_task(make_point_reach, c, Rng(1))();
  Rng rng(2);
  env->reset(rng);
  Vector obs(4), start(2), goal(2);
  env->observe({obs, start, goal});
  const std::vector<Shape> shapes = goals_of(*env);
  const std::vector<Vector3d> now = places(shapes, GoalMark::desired), later = places(shapes, GoalMark::waypoint);
  ASSERT_EQ(now.size(), 1u);
  EXPECT_NEAR(now[0].x(), double(start(0)) + 0.1, 1e-5);
  EXPECT_NEAR(now[0].y(), double(start(1)) + 0.2, 1e-5);
  ASSERT_EQ(later.size(), 2u);
  EXPECT_NEAR(later[1].y(), double(start(1)) + 0.6, 1e-5);
  EXPECT_EQ(world_of(*env).shapes.size(), world_of(*make_point_reach()).shapes.size()) << "its own goal is not shown";
}

TEST(DrawnSubgoal, StandsWhereTheObservationWouldBe) {
  const EnvEntry& entry = find_environment("AntMazeEuler-v0");
  const std::unique_ptr<Env> env = entry.world(*entry.settings())();
  Vector obs = Vector::Constant(env->spec().obs_dim, std::numeric_limits<Scalar>::quiet_NaN());
  Scene none, some;
  drawing_of(*env).draw_subgoal(obs, GoalMark::subgoal, none);
  EXPECT_TRUE(none.shapes.empty());
  obs.head<3>() << 3, -2, Scalar(0.5);
  drawing_of(*env).draw_subgoal(obs, GoalMark::subgoal, some);
  ASSERT_FALSE(some.shapes.empty());
  EXPECT_EQ(some.shapes[0].position, Vector3d(3, -2, 0.5));
  EXPECT_TRUE(same_color(some.shapes[0].color, color_of(GoalMark::subgoal)));
}

TEST(VectorEnv, ShowsTheEndOfAnEpisodeBeforeItBeginsAnew) {
  VectorEnv env(make_point_reach, 2, Rng(1));
  std::vector<int> lanes;
  std::vector<Matrix> seen;
  env.before_restart([&](int lane, const Env& e) {
    Vector obs(4), achieved(2), desired(2);
    e.observe({obs, achieved, desired});
    lanes.push_back(lane);
    seen.push_back(obs);
  });
  env.reset();
  const int steps = env.spec().max_steps;
  for (int t = 0; t + 1 < steps; ++t) env.step(Matrix::Constant(2, 2, Scalar(0.1)));
  EXPECT_TRUE(lanes.empty());
  const StepBatch& last = env.step(Matrix::Constant(2, 2, Scalar(0.1)));
  EXPECT_THAT(lanes, ElementsAre(0, 1));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(seen[i], Matrix(last.after.obs.col(i)));
  EXPECT_NE(env.obs().obs.col(0), last.after.obs.col(0));
}

}  // namespace
}  // namespace goalpost::test
