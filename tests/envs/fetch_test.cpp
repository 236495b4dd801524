// The Fetch environments against numbers measured with the original models (Gymnasium-Robotics v4, MuJoCo 2.2.2), and
// against hand-written controllers. An observation is single precision: 1e-6 m are about eight of its steps at 1.3 m.
#include "envs/mujoco/fetch.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "core/check.h"
#include "envs/mujoco/mujoco_env.h"
#include "envs/registry.h"
#include "envs/vector_env.h"
#include "support/matrices.h"
#include "support/state.h"

namespace goalpost::test {
namespace {

using Eigen::Vector2d;
using Eigen::Vector3d;
using Eigen::Vector4d;
using Doubles = std::vector<double>;

constexpr FetchTask kAllTasks[] = {FetchTask::reach, FetchTask::push, FetchTask::slide, FetchTask::pick_and_place};

// Where things are in the observation.
constexpr int kGripper = 0, kObject = 3, kFingers = 9, kEuler = 11, kSpin = 17;

std::unique_ptr<Env> make(FetchTask task, const FetchConfig& c = {}, FetchReward reward = FetchReward::sparse,
                          int version = 4) {
  return fetch_factory(task, reward, version, c)();
}

// Copies of the named parts of an environment's state.
class Parts final : public StateVisitor {
 public:
  explicit Parts(Env& env) { env.visit_state(*this); }
  void visit(std::string_view, MatrixRef) override {}
  void visit(std::string_view name, std::span<double> values) override {
    parts_[std::string(name)].assign(values.begin(), values.end());
  }
  void visit(std::string_view, std::span<std::uint64_t>) override {}
  const Doubles& operator[](const std::string& name) const { return parts_.at(name); }

 private:
  void enter(std::string_view) override {}
  void leave() override {}
  std::map<std::string, Doubles> parts_;
};

void expect_near(const Doubles& actual, const Doubles& expected, double tolerance, const char* what) {
  ASSERT_GE(actual.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], tolerance) << what << ", number " << i;
}

Vector observation(Env& env) {
  Vector obs(env.spec().obs_dim), achieved(3), desired(3);
  env.observe({obs, achieved, desired});
  return obs;
}
Vector3d vector(Env& env, int first) { return observation(env).segment<3>(first).cast<double>(); }
Vector3d gripper(Env& env) { return vector(env, kGripper); }

Vector3d goal(Env& env) { return Vector3d::Map(Parts(env)["goal"].data()); }

Vector4d action(double x, double y, double z, double finger = 0) { return {x, y, z, finger}; }
// The task's own hand-written policy.
Vector4d script(Env& env) {
  Vector obs(env.spec().obs_dim), achieved(3), desired(3), action(4);
  env.observe({obs, achieved, desired});
  env.spec().script(obs, achieved, desired, action);
  return action.cast<double>();
}

struct Score {
  double success = 0, mean_return = 0;  // at the last step; of the sum of rewards
};
Score score(Env& env, int episodes, const std::function<Vector4d(Env&)>& policy) {
  Score s;
  int solved = 0;
  Rng rng(11);
  for (int e = 0; e < episodes; ++e) {
    env.reset(rng);
    StepResult r;
    for (int t = 0; t < env.spec().max_steps; ++t) {
      r = env.step(policy(env));
      s.mean_return += static_cast<double>(r.reward) / episodes;
    }
    solved += r.success ? 1 : 0;
  }
  s.success = static_cast<double>(solved) / episodes;
  return s;
}

double share_solved_at_reset(Env& env, int episodes) {
  Rng rng(12);
  int solved = 0;
  Vector obs(env.spec().obs_dim), achieved(3), desired(3);
  for (int e = 0; e < episodes; ++e) {
    env.reset(rng);
    env.observe({obs, achieved, desired});
    solved += env.spec().goal.reached(achieved, desired) ? 1 : 0;
  }
  return static_cast<double>(solved) / episodes;
}

// ---- the model ----

TEST(FetchModel, HasTheOriginalsSizesAndInertia) {
  const MujocoModel reach = load_mujoco_model("fetch/reach.xml"), push = load_mujoco_model("fetch/push.xml"),
                    slide = load_mujoco_model("fetch/slide.xml"), pick = load_mujoco_model("fetch/pick_and_place.xml");
  EXPECT_EQ(reach->nq, 15);
  EXPECT_EQ(reach->nv, 15);
  EXPECT_EQ(reach->nu, 0);
  for (const MujocoModel& m : {push, slide, pick}) {
    EXPECT_EQ(m->nq, 22);
    EXPECT_EQ(m->nv, 21);
  }
  EXPECT_EQ(push->nu, 0);
  EXPECT_EQ(slide->nu, 0);
  EXPECT_EQ(pick->nu, 2);
  EXPECT_NEAR(reach->stat.meaninertia, 43.277, 5e-4);
  EXPECT_NEAR(pick->stat.meaninertia, 31.198, 5e-4);
}

TEST(FetchModel, WeldsTheGripperUponTheMocapBody) {
  const MujocoModel m = load_mujoco_model("fetch/reach.xml");
  ASSERT_EQ(m->neq, 1);
  expect_near(Doubles(m->eq_data, m->eq_data + mjNEQDATA), {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}, 0, "weld");
}

TEST(FetchModel, TheBaseStandsOnThreePoints) {
  const MujocoModel m = load_mujoco_model("fetch/reach.xml");
  MujocoSimulation sim("reach", m);
  EXPECT_EQ(sim.data().ncon, 3);
}

TEST(MujocoModel, AMissingOrWrongNameIsASentence) {
  EXPECT_THROW_MESSAGE(load_mujoco_model("fetch/fly.xml"), std::runtime_error, "envs/assets/fetch/fly.xml: ");
  const MujocoModel m = load_mujoco_model("fetch/reach.xml");
  EXPECT_THROW_MESSAGE(mujoco_id(*m, mjOBJ_SITE, "grab"), std::invalid_argument,
                       "mujoco_id: the model fetch_reach has no site called \"grab\"");
}

TEST(MujocoSimulation, MuJoCosErrorsAreExceptions) {
  const MujocoModel m = load_mujoco_model("fetch/reach.xml");
  EXPECT_THROW_MESSAGE(mju_error("a complaint"), std::runtime_error, "a complaint");
}

TEST(MujocoSimulation, ABadStateNamesEnvironmentAndTimeAndCanBeReset) {
  MujocoSimulation sim("Probe-v0", load_mujoco_model("fetch/reach.xml"));
  sim.data().time = 0.5;
  sim.data().qpos[7] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW_MESSAGE(sim.step(1), NumericsError,
                       "Probe-v0: MuJoCo stopped in the step after 0.5 s of simulated time: Nan, Inf or huge value in "
                       "QPOS at DOF 7");
  sim.reset();
  sim.forward();
  EXPECT_NO_THROW(sim.step(1));
}

// ---- the settled start ----

// The object's position is drawn, so it stands at the end and is compared in z alone.
TEST(FetchStart, JointsSettleWhereTheOriginalsDo) {
  const double head_tilt = 0.0600288349;
  struct Case {
    FetchTask task;
    double slide0, torso;
    Doubles arm;
    double right, left;
  };
  const Case cases[] = {
      {FetchTask::reach,
       0.404899884,
       0.00125034370,
       {0.00969311133, -0.826127718, -0.00308940529, 1.44487350, 0.00257314464, 0.951995293, 0.00592928233},
       0.000200232294,
       6.92377335e-5},
      {FetchTask::push,
       0.404999882,
       0.00125263188,
       {0.00905266066, -0.580227154, -0.00227490547, 1.43102743, 0.00255955660, 0.719087825, 0.00586674004},
       -1.509e-6,
       0.00125159772},
      {FetchTask::slide,
       0.049999882,
       0.00125338327,
       {0.00897676789, -0.572908453, -0.00224744111, 1.41803477, 0.00237837387, 0.724378979, 0.00595412625},
       -2.036e-6,
       0.00147158977},
      {FetchTask::pick_and_place,
       0.404999884,
       0.00125034370,
       {0.00969305254, -0.826127719, -0.00308936588, 1.44487351, 0.00257315823, 0.951995292, 0.00592924312},
       3.185e-6,
       -4.97e-8}};
  for (const Case& c : cases) {
    const std::unique_ptr<Env> env = make(c.task);
    Rng rng(1);
    env->reset(rng);
    const Parts parts(*env);
    EXPECT_NEAR(parts["time"][0], 0.4, 1e-12);
    const Doubles& q = parts["qpos"];
    expect_near(q, {c.slide0, 0.48, 0, c.torso, 0, head_tilt}, 1e-6, "base, torso and head");
    expect_near(Doubles(q.begin() + 6, q.end()), c.arm, 1e-7, "arm");
    expect_near(Doubles(q.begin() + 13, q.end()), {c.right, c.left}, 1e-8, "fingers");
    if (c.task != FetchTask::reach) {
      EXPECT_NEAR(q[17], c.task == FetchTask::slide ? 0.414022562 : 0.424702091, 1e-8) << "height of the object";
    }
  }
}

// Goals and objects are drawn around the settled gripper: taking the draws away leaves it.
TEST(FetchStart, GoalsAreDrawnAroundTheOriginalsGripper) {
  struct Case {
    FetchTask task;
    Vector3d start;
    double range, offset, height;
  };
  const Case cases[] = {
      {FetchTask::reach, {1.341855022, 0.749100508, 0.534706946}, 0.15, 0, 0},
      {FetchTask::push, {1.348205767, 0.748948842, 0}, 0.15, 0, 0.424699749},
      {FetchTask::slide, {0.996119829, 0.748905867, 0}, 0.3, 0.4, 0.414018944},
      {FetchTask::pick_and_place, {1.341955022, 0.749100496, 0}, 0.15, 0, 0.424699749},
  };
  for (const Case& c : cases) {
    FetchConfig config;
    if (c.task != FetchTask::reach) config.object_x = config.object_y = 1;  // leaves the first three draws to the goal
    const std::unique_ptr<Env> env = make(c.task, config);
    Rng rng(2);
    int in_air = 0;
    for (int e = 0; e < 20; ++e) {
      Rng same = rng;
      env->reset(rng);
      const Vector3d g = goal(*env);
      for (int axis = 0; axis < 3; ++axis) {
        const double draw = c.range * (2 * double(same.uniform()) - 1);
        if (axis < 2 || c.task == FetchTask::reach) {
          EXPECT_NEAR(g(axis) - draw - (axis == 0 ? c.offset : 0), c.start(axis), 1e-8);
        }
      }
      if (c.task == FetchTask::reach) continue;
      if (c.task == FetchTask::pick_and_place && same.uniform() < Scalar(0.5)) {
        ++in_air;
        EXPECT_NEAR(g.z(), c.height + 0.45 * double(same.uniform()), 1e-8);
      } else {
        EXPECT_NEAR(g.z(), c.height, 1e-8);
      }
      EXPECT_EQ(same.position(), rng.position());
    }
    if (c.task == FetchTask::pick_and_place) {
      EXPECT_GT(in_air, 3);
      EXPECT_LT(in_air, 17);
    }
  }
}

TEST(FetchStart, ObjectsAreDrawnBesideTheGripper) {
  for (const auto& [task, range] : {std::pair{FetchTask::push, 0.15}, {FetchTask::slide, 0.1}}) {
    const std::unique_ptr<Env> env = make(task);
    const Vector2d start =
        task == FetchTask::push ? Vector2d(1.348205767, 0.748948842) : Vector2d(0.996119829, 0.748905867);
    Rng rng(3);
    Vector2d low(9, 9), high(-9, -9);
    for (int e = 0; e < 300; ++e) {
      env->reset(rng);
      const Vector2d offset = vector(*env, kObject).head<2>() - start;
      EXPECT_GT(offset.norm(), 0.1 - 1e-6);
      low = low.cwiseMin(offset);
      high = high.cwiseMax(offset);
    }
    for (const double x : {-low.x(), -low.y(), high.x(), high.y()}) {
      EXPECT_LT(x, range + 1e-6);
      EXPECT_GT(x, range - 0.01);
    }
  }
}

TEST(FetchStart, ReachObservesWhatTheOriginalDoes) {
  const std::unique_ptr<Env> env = make(FetchTask::reach);
  Rng rng(1);
  env->reset(rng);
  const Doubles expected = {1.34185486,     0.749100508,   0.534707205,   2.00232294e-4, 6.92377335e-5,
                            -3.25336729e-6, -2.1965513e-9, 5.16581247e-6, 4.76882452e-6, -2.31810359e-6};
  const Vector obs = observation(*env);
  for (Index i = 0; i < 10; ++i)
    EXPECT_NEAR(obs(i), expected[static_cast<std::size_t>(i)], i < 3 ? 1.2e-7 : 1e-9) << "number " << i;
}

TEST(FetchStart, ObjectTasksObserveWhatTheOriginalsDo) {
  Rng rng(1);
  const std::unique_ptr<Env> push = make(FetchTask::push), slide = make(FetchTask::slide),
                             pick = make(FetchTask::pick_and_place);
  for (Env* env : {push.get(), slide.get(), pick.get()}) env->reset(rng);
  EXPECT_LT((gripper(*push) - Vector3d(1.348159224, 0.748950902, 0.413618685)).norm(), 2e-7);
  EXPECT_NEAR(observation(*push)(kFingers), -1.509e-6, 1e-9);
  EXPECT_NEAR(observation(*push)(kFingers + 1), 1.2516e-3, 1e-7);
  EXPECT_NEAR(observation(*push)(kObject + 2), 0.424702091, 1e-7);
  EXPECT_LT((gripper(*slide) - Vector3d(0.996056, 0.748908, 0.412667)).norm(), 1e-6);
  EXPECT_NEAR(observation(*slide)(kObject + 2), 0.414022562, 1e-7);
  EXPECT_LT((vector(*slide, kEuler) - Vector3d(-0.005330, 0.000125, -0.018820)).norm(), 1e-6);
  EXPECT_NEAR(std::abs(observation(*slide)(kSpin)) / 0.04, 0.47, 0.01) << "the puck wobbles";
  EXPECT_LT((gripper(*pick) - Vector3d(1.341955, 0.749100, 0.534707)).norm(), 1e-6);
}

TEST(FetchStart, SomeEpisodesAreSolvedAtOnce) {
  // measured with 400 and 300 episodes of the original: ± 2 deviations of its share and of ours
  const std::tuple<FetchTask, double, int> cases[] = {{FetchTask::reach, 0.013, 400},
                                                      {FetchTask::push, 0.067, 300},
                                                      {FetchTask::slide, 0.007, 300},
                                                      {FetchTask::pick_and_place, 0.030, 300}};
  for (const auto& [task, share, n] : cases) {
    const std::unique_ptr<Env> env = make(task);
    const int ours = 1000;
    EXPECT_NEAR(share_solved_at_reset(*env, ours), share, 2 * std::sqrt(share * (1 - share) * (1.0 / n + 1.0 / ours)))
        << env->spec().name;
  }
}

TEST(FetchStart, GoalAndObjectCanBeFixed) {
  FetchConfig c;
  c.goal_x = 1.3, c.goal_y = 0.7, c.goal_z = 0.5;
  c.object_x = 1.4, c.object_y = 0.9;
  const std::unique_ptr<Env> env = make(FetchTask::push, c);
  Rng rng(1);
  for (int e = 0; e < 2; ++e) {
    env->reset(rng);
    EXPECT_EQ(goal(*env), Vector3d(1.3, 0.7, 0.5));
    EXPECT_LT((vector(*env, kObject).head<2>() - Vector2d(1.4, 0.9)).norm(), 1e-6);
  }
  EXPECT_THROW_MESSAGE(make(FetchTask::reach, c), std::invalid_argument,
                       "FetchReach: object_x or object_y is given; expected neither: there is no object");
  EXPECT_THROW_MESSAGE(make(FetchTask::push, {}, FetchReward::sparse, 3), std::invalid_argument,
                       "FetchPush: version = 3; expected 4, or FetchReach-v3");
}

// ---- steps ----

TEST(FetchStep, AFullActionMovesTheGripperByThreeCentimeters) {
  for (const FetchTask task : {FetchTask::reach, FetchTask::pick_and_place}) {
    const bool pick = task == FetchTask::pick_and_place;
    FetchConfig c;
    if (pick) c.object_x = 1.2, c.object_y = 0.6;
    const std::unique_ptr<Env> env = make(task, c);
    for (int axis = 0; axis < 3; ++axis) {
      Rng rng(1);
      env->reset(rng);
      Vector4d a = Vector4d::Zero();
      a(axis) = 1;
      Doubles moved;
      Vector3d before = gripper(*env);
      for (int t = 0; t < 4; ++t) {
        env->step(t < 3 ? a : Vector4d(Vector4d::Zero()));
        moved.push_back(gripper(*env)(axis) - before(axis));
        before = gripper(*env);
      }
      EXPECT_NEAR(moved[0], pick ? 0.029 : 0.030, 1.5e-3) << "axis " << axis;
      EXPECT_NEAR(moved[1], pick ? 0.032 : 0.033, 1.5e-3) << "axis " << axis;
      EXPECT_NEAR(moved[3], 0.0025, 1.5e-3) << "axis " << axis << ": it coasts";
    }
  }
}

TEST(FetchStep, TheGripperSagsWithoutAnAction) {
  const std::unique_ptr<Env> env = make(FetchTask::reach);
  Rng rng(1);
  env->reset(rng);
  const Vector3d before = gripper(*env);
  for (int t = 0; t < 50; ++t) env->step(Vector4d::Zero());
  EXPECT_NEAR(gripper(*env).x() - before.x(), 0.0012, 1e-4);
  EXPECT_NEAR(gripper(*env).z() - before.z(), -0.0092, 1e-4);
}

TEST(FetchStep, TheTableStopsTheGripperAndTheArmEnds) {
  const std::unique_ptr<Env> env = make(FetchTask::reach);
  Rng rng(1);
  env->reset(rng);
  for (int t = 0; t < 30; ++t) env->step(action(0, 0, -1));
  EXPECT_NEAR(gripper(*env).z(), 0.415, 2e-3);
  env->reset(rng);
  for (int t = 0; t < 30; ++t) env->step(action(1, 0, 0));
  EXPECT_NEAR(gripper(*env).x(), 1.55, 0.02);
}

// Of the object.
Eigen::Matrix3d rotation(const Parts& parts) {
  const double* q = parts["qpos"].data() + 18;
  return Eigen::Quaterniond(q[0], q[1], q[2], q[3]).toRotationMatrix();
}

// Against differences of positions, of the joints moved on along their velocities.
TEST(FetchStep, VelocitiesAreDisplacementsPerStep) {
  const double h = 1e-6;
  const std::unique_ptr<Env> env = make(FetchTask::push, {.object_x = 1.42, .object_y = 0.75});
  Rng rng(1);
  env->reset(rng);
  for (int t = 0; t < 3; ++t) env->step(action(1, 0.2, 0));  // into the box, beside its middle
  const Parts parts(*env);
  MujocoSimulation sim("differences", load_mujoco_model("fetch/push.xml"));
  const auto place = [&](const char* name) {
    return Vector3d(Vector3d::Map(sim.data().site_xpos + 3 * mujoco_id(sim.model(), mjOBJ_SITE, name)));
  };
  std::copy_n(parts["qpos"].data(), sim.model().nq, sim.data().qpos);
  sim.forward();
  const Vector3d grip = place("grip"), box = place("object");
  mj_integratePos(&sim.model(), sim.data().qpos, parts["qvel"].data(), h);
  sim.forward();
  const Vector3d grip_velocity = 0.04 / h * (place("grip") - grip), box_velocity = 0.04 / h * (place("object") - box);
  EXPECT_GT(box_velocity.norm(), 0.005);
  EXPECT_LT((vector(*env, 20) - grip_velocity).norm(), 1e-6);
  EXPECT_LT((vector(*env, 14) - (box_velocity - grip_velocity)).norm(), 1e-6);
  // A free joint turns about the axes of its body.
  const Vector3d spin = 0.04 * (rotation(parts) * Vector3d::Map(parts["qvel"].data() + 18));
  EXPECT_GT(spin.norm(), 0.01);
  EXPECT_LT((vector(*env, kSpin) - spin).norm(), 1e-6);
  using Turn = Eigen::AngleAxisd;
  const Vector3d e = vector(*env, kEuler);
  const Eigen::Matrix3d turned =
      (Turn(e.x(), Vector3d::UnitX()) * Turn(e.y(), Vector3d::UnitY()) * Turn(e.z(), Vector3d::UnitZ())).matrix();
  EXPECT_LT((turned - rotation(parts)).norm(), 1e-6);
}

TEST(FetchStep, FingersOpenHoldAndShutInPickAndPlaceOnly) {
  const std::unique_ptr<Env> pick = make(FetchTask::pick_and_place), push = make(FetchTask::push);
  Rng rng(1);
  pick->reset(rng);
  const auto fingers = [](Env& env) { return Vector2d(observation(env).segment<2>(kFingers).cast<double>()); };
  const auto hold = [&](Env& env, double finger, int steps) {
    for (int t = 0; t < steps; ++t) env.step(action(0, 0, 0, finger));
    return fingers(env);
  };
  EXPECT_LT((hold(*pick, 1, 10) - Vector2d(0.05, 0.05)).cwiseAbs().maxCoeff(), 2e-3);
  EXPECT_LT((hold(*pick, 0, 10) - Vector2d(0.05, 0.05)).cwiseAbs().maxCoeff(), 4e-3) << "0 holds";
  EXPECT_LT(hold(*pick, -1, 10).cwiseAbs().maxCoeff(), 2e-3);
  push->reset(rng);
  EXPECT_EQ(hold(*push, 1, 5), Vector2d::Zero()) << "shut after every step";
}

TEST(FetchStep, DenseRewardIsTheDistance) {
  for (const FetchTask task : kAllTasks) {
    const std::unique_ptr<Env> env = make(task, {}, FetchReward::dense);
    EXPECT_TRUE(env->spec().name.ends_with("Dense-v4"));
    Rng rng(1);
    env->reset(rng);
    const Scalar reward = env->step(action(1, 0.5, 0.2)).reward;
    const int first = task == FetchTask::reach ? kGripper : kObject;
    EXPECT_NEAR(reward, -(vector(*env, first) - goal(*env)).norm(), 1e-6);
  }
}

TEST(FetchStep, AnActionThatIsNoNumberIsAnError) {
  const std::unique_ptr<Env> env = make(FetchTask::reach);
  Rng rng(1);
  env->reset(rng);
  env->step(Vector4d::Zero());
  EXPECT_THROW_MESSAGE(env->step(Vector4d::Constant(std::numeric_limits<double>::quiet_NaN())), NumericsError,
                       "FetchReach-v4: MuJoCo stopped in the step after 0.44 s of simulated time: ");
  env->reset(rng);
  EXPECT_NO_THROW(env->step(Vector4d::Zero()));
}

// ---- version 3 ----

TEST(FetchReachV3, ForgetsTheSettledStartAndCannotBeSolved) {
  const std::unique_ptr<Env> env = make(FetchTask::reach, {}, FetchReward::sparse, 3);
  EXPECT_EQ(env->spec().name, "FetchReach-v3");
  Rng rng(1);
  for (int e = 0; e < 20; ++e) {
    Rng same = rng;
    env->reset(rng);
    EXPECT_EQ(Parts(*env)["qpos"], Doubles({0, 0, 0, 0, 0, 0.06, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
    const double x = 1.341855022 + 0.15 * (2 * double(same.uniform()) - 1);
    EXPECT_NEAR(goal(*env).x(), x, 1e-8) << "goals lie around the gripper that was settled";
  }
  const Score s = score(*env, 20, script);
  EXPECT_EQ(s.success, 0);
}

// ---- controllers ----

TEST(FetchController, AProportionalOneSolvesReach) {
  const std::unique_ptr<Env> env = make(FetchTask::reach);
  const Score s = score(*env, 40, script);
  EXPECT_EQ(s.success, 1);
  EXPECT_NEAR(s.mean_return, -1.6, 0.4);
}

TEST(FetchController, WithoutAnActionABoxStaysWhereItIs) {
  const std::unique_ptr<Env> env = make(FetchTask::push);
  Rng rng(4);
  for (int e = 0; e < 5; ++e) {
    env->reset(rng);
    const Vector3d before = vector(*env, kObject);
    for (int t = 0; t < 50; ++t) env->step(Vector4d::Zero());
    EXPECT_LT((vector(*env, kObject) - before).norm(), 1e-3);
  }
}

TEST(FetchController, AScriptPushesTheBox) {
  const std::unique_ptr<Env> env = make(FetchTask::push);
  // The arm is too short to get behind a box at the far end of its range (x > 1.49) that must come back.
  EXPECT_GE(score(*env, 60, script).success, 0.95);
}

TEST(FetchController, AScriptGraspsTheBoxAndCarriesIt) {
  const std::unique_ptr<Env> env = make(FetchTask::pick_and_place);
  const Score s = score(*env, 40, script);
  EXPECT_GE(s.success, 0.95);
  EXPECT_NEAR(s.mean_return, -22, 4);
}

TEST(FetchController, AHitSendsThePuckOutOfReach) {
  const std::unique_ptr<Env> env = make(FetchTask::slide, {.object_x = 1.15, .object_y = 0.749});
  Rng rng(1);
  env->reset(rng);
  for (int t = 0; t < 8; ++t) env->step(action(1, 0, 0));
  for (int t = 0; t < 42; ++t) env->step(Vector4d::Zero());
  EXPECT_GT(vector(*env, kObject).x(), 1.3);
  EXPECT_GT(vector(*env, kObject).x(), gripper(*env).x() + 0.05);
}

// ---- state ----

TEST(FetchState, CoordinatesMoveTheRobotAndKeepTheGoal) {
  const std::unique_ptr<Env> env = make(FetchTask::push), other = make(FetchTask::push);
  Rng rng(5), elsewhere(6);
  env->reset(rng);
  other->reset(elsewhere);
  for (int t = 0; t < 5; ++t) env->step(action(1, 0.2, 0));
  const Vector3d pursued = goal(*other);
  Doubles values(env->coordinate_names().size());
  ASSERT_EQ(values.size(), 22u + 21u);
  EXPECT_EQ(env->coordinate_names()[21], "qpos21");
  EXPECT_EQ(env->coordinate_names()[22], "qvel0");
  env->get_coordinates(values);
  other->set_coordinates(values);
  EXPECT_EQ(goal(*other), pursued);
  EXPECT_LT((gripper(*other) - gripper(*env)).norm(), 1e-12);
  EXPECT_LT((vector(*other, kObject) - vector(*env, kObject)).norm(), 1e-12);
  // From here both go the same way, up to the solver's warm start, which coordinates leave out.
  for (int t = 0; t < 5; ++t) {
    env->step(action(1, 0.2, 0));
    other->step(action(1, 0.2, 0));
  }
  EXPECT_LT((gripper(*other) - gripper(*env)).norm(), 1e-6);
}

TEST(FetchState, RestoringWithinAContactRepeatsTheBits) {
  for (const FetchTask task : {FetchTask::push, FetchTask::pick_and_place}) {
    const EnvFactory factory = fetch_factory(task, FetchReward::sparse, 4, {});
    const std::unique_ptr<Env> env = factory(), other = factory();
    Rng rng(5), elsewhere(6);
    env->reset(rng);
    other->reset(elsewhere);
    const double rest = vector(*env, kObject).z();
    const Vector3d start = vector(*env, kObject);
    int moved = 0;
    for (int t = 0; t < 50; ++t) {
      const Vector4d a = script(*env);
      const Snapshot before = snapshot(*env);
      env->step(a);
      const Snapshot after = snapshot(*env);
      restore(*other, before);
      EXPECT_TRUE(same_bits(observation(*other), Vector(observation(*other))));
      other->step(a);
      ASSERT_EQ(hash(after), state_hash(*other)) << "step " << t;
      moved += (vector(*env, kObject) - start).norm() > 0.02 ? 1 : 0;
    }
    EXPECT_GT(moved, 5) << env->spec().name << ": the box was not touched";
    if (task == FetchTask::pick_and_place) {
      EXPECT_GE(vector(*env, kObject).z(), rest - 1e-3);
    }
    // A long way from one restored state.
    restore(*other, snapshot(*env));
    for (int t = 0; t < 20; ++t) {
      const Vector4d a = script(*env);
      env->step(a);
      other->step(a);
    }
    EXPECT_EQ(state_hash(*env), state_hash(*other));
  }
}

TEST(FetchState, LanesDoNotDependOnTheThreads) {
  for (const FetchTask task : {FetchTask::push, FetchTask::pick_and_place}) {
    std::vector<std::uint64_t> hashes;
    for (const int threads : {1, 2}) {
      VectorEnv env(fetch_factory(task, FetchReward::sparse, 4, {}), 4, Rng(3), threads);
      for (int t = 0; t < 60; ++t) env.step(random_matrix(4, 4, static_cast<std::uint64_t>(t)));
      hashes.push_back(state_hash(env));
    }
    EXPECT_EQ(hashes[0], hashes[1]);
  }
}

}  // namespace
}  // namespace goalpost::test
