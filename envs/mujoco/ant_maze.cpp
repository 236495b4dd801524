// Maze, Push, Fall: an ant among blocks of 8 m has to reach the far end. MazeSparse: a longer maze of 2 m cells.
//   state        15 positions and 14 velocities of the ant (envs/mujoco/ant.h), 2 and 2 of the block in Push and Fall,
//                steps since reset t, MuJoCo's warm start. Reset: the pose with U(-0.1, 0.1) on every position and
//                0.1 N(0, 1) on every velocity of the ant at (0, 0), in MazeSparse in the middle of a random cell
//                marked r, without noise on x and y; the block at its start, at rest
//   observation  [30]  positions of the ant, m, 1, rad    15
//                      velocities, m/s, rad/s             14
//                      0.001 t                             1
//                The block is not observed, unless asked for:
//                with observe_block, its displacements, m   2
//   goal         target position of the torso, m: x, y [2]; x, y, z in Fall [3]; fixed or drawn (AntMazeConfig). In
//                MazeSparse (2, 9), which HRAC's agents do not observe: it never changes
//   action       torques on hip and ankle of legs 4, 1, 2, 3, N m [8] in [-30, 30]
//   reward       -distance to the goal; in MazeSparse 1 nearer than 1 m, else 0                 (after the step)
//   success      the goal is nearer than 5 m, in MazeSparse 1 m; HIRO counts it at the last step of an episode
//   ends         never, not by falling over either, but MazeSparse at the goal; time limit 500 steps of 0.1 s (5
//                substeps of 0.02 s)
//
//   Maze     Push     Fall     MazeSparse    # wall    . free    r where the ant starts, the first at (0, 0)
//   #####    #####    ####     ##########    x to the right, y downwards
//   #r..#    #.r##    #r.#     #rrrrrrrr#    P block that slides in x and y: to be pushed in +x, from (-8, 8)
//   ###.#    #.P.#    #.F#     #rrrrrrrr#    F block that slides in y and z: to be pushed in +y, into the chasm
//   #...#    ##.##    #XX#     #######rr#    X chasm; all other cells of Fall are 4 m higher
//   #####    #####    #..#     #.rrrrrrr#
//                     ####     #.rrrrrrr#
//                              #######rr#
//                              #rrrrrrrr#
//                              #rrrrrrrr#
//                              ##########
//
// MazeSparse is of Zhang et al. 2020, "Generating Adjacency-Constrained Subgoals in Hierarchical Reinforcement
// Learning" (HRAC), arXiv:2006.11485, and its released code; the others are of Nachum et al. 2018, "Data-Efficient
// Hierarchical Reinforcement Learning", arXiv:1805.08296, with the constants of the released code. Differs from that
// code: random numbers and single precision of observations and rewards; training with HRAC goes on to the next
// multiple of ten steps after a success (its evaluation does not). Differs from the paper: its appendix calls (16, 8)
// in Push free and gives Fall a free column at x = -8; these are the released worlds. The names with Euler integrate
// with semi-implicit Euler instead of RK4: four times faster, but not HIRO's dynamics.
#include "envs/mujoco/ant_maze.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "core/check.h"

namespace goalpost {
namespace {

using Eigen::Vector3d;

struct Task {
  const char* name;
  CellMap map;
  double cell;  // width of a block, twice its height, m
  bool sparse;  // of the reward; the episode ends at the goal
  Scalar radius;
  int goal_dim;
  std::array<double, 3> fixed_goal, lowest_goal, highest_goal;  // m; drawn goals lie between the latter
};

constexpr std::array<Task, 4> kTasks{{
    {.name = "AntMaze",
     .map = CellMap("#####\n"
                    "#r..#\n"
                    "###.#\n"
                    "#...#\n"
                    "#####\n"),
     .cell = 8,
     .sparse = false,
     .radius = 5,
     .goal_dim = 2,
     .fixed_goal = {0, 16, 0},
     .lowest_goal = {-4, -4, 0},
     .highest_goal = {20, 20, 0}},
    {.name = "AntPush",
     .map = CellMap("#####\n"
                    "#.r##\n"
                    "#.P.#\n"
                    "##.##\n"
                    "#####\n"),
     .cell = 8,
     .sparse = false,
     .radius = 5,
     .goal_dim = 2,
     .fixed_goal = {0, 19, 0},
     .lowest_goal = {-16, -4, 0},
     .highest_goal = {16, 20, 0}},
    {.name = "AntFall",
     .map = CellMap("####\n"
                    "#r.#\n"
                    "#.F#\n"
                    "#XX#\n"
                    "#..#\n"
                    "####\n"),
     .cell = 8,
     .sparse = false,
     .radius = 5,
     .goal_dim = 3,
     .fixed_goal = {0, 27, 4.5},
     .lowest_goal = {-4, -4, 0},
     .highest_goal = {12, 28, 5}},
    {.name = "AntMazeSparse",
     .map = CellMap("##########\n"
                    "#rrrrrrrr#\n"
                    "#rrrrrrrr#\n"
                    "#######rr#\n"
                    "#.rrrrrrr#\n"
                    "#.rrrrrrr#\n"
                    "#######rr#\n"
                    "#rrrrrrrr#\n"
                    "#rrrrrrrr#\n"
                    "##########\n"),
     .cell = 2,
     .sparse = true,
     .radius = 1,
     .goal_dim = 2,
     .fixed_goal = {2, 9, 0},
     .lowest_goal = {-1, -1, 0},
     .highest_goal = {15, 15, 0}},
}};

struct Cell {
  int row = 0, column = 0;
};

// Where the ant may start; the first is the world's origin.
std::vector<Cell> starts_of(const Task& task) {
  std::vector<Cell> cells;
  task.map.for_each([&](int i, int j, char symbol) {
    if (symbol == 'r') cells.push_back({i, j});
  });
  return cells;
}

const Task& task_of(AntTask task) { return kTasks[static_cast<std::size_t>(task)]; }

std::string name_of(const Task& task, Integrator integrator) {
  return detail::concatenate(task.name, integrator == Integrator::euler ? "Euler" : "", "-v0");
}

std::string slide(const char* axis, const char* range) {
  return detail::concatenate("<joint type=\"slide\" armature=\"0\" damping=\"0\" margin=\"0.01\" axis=\"", axis, "\" ",
                             range, "/>\n");
}

// A block that slides along two axes. @param half_width, half_height m
std::string movable_block(double x, double y, double z, double half_width, double half_height, const char* mass,
                          const std::string& slides) {
  return detail::concatenate("<body name=\"block\" pos=\"", x, ' ', y, ' ', z, "\">\n", slides,
                             mjcf_box(0, 0, 0, half_width, half_width, half_height,
                                      detail::concatenate("mass=\"", mass, "\" rgba=\"0.9 0.1 0.1 1\"")),
                             "</body>\n");
}

class AntMaze final : public Ant {
 public:
  AntMaze(const Task& task, std::string name, MujocoModel model, const AntMazeConfig& config)
      : Ant({.name = std::move(name),
             .obs_dim = kQpos + kQvel + 1 + (config.observe_block ? kBlock : 0),
             .action = action_space(*model),
             .goal = {.dim = task.goal_dim,
                      .radius = task.radius,
                      .ends_at_goal = task.sparse,
                      .reward = task.sparse ? &one_within : &minus_distance},
             .max_steps = 500,
             .dt = kSubsteps * model->opt.timestep},
            model),
        task_(task),
        starts_(starts_of(task)),
        c_(config) {}

  void reset(Rng& rng) override {
    reset_with_noise(rng);
    if (starts_.size() > 1) {
      const Cell cell = starts_[rng.below(static_cast<std::uint32_t>(starts_.size()))];
      move_to(task_.cell * (cell.column - starts_[0].column), task_.cell * (cell.row - starts_[0].row));
    }
    steps_ = 0;
    goal_ = make_goal(rng);
  }

  StepResult step(ActionRef action) override {
    advance(action);
    ++steps_;
    const Goal achieved = achieved_goal(), desired = goal_.cast<Scalar>();
    const int n = spec_.goal.dim;
    const bool success = spec_.goal.reached(achieved.head(n), desired.head(n));
    return {.reward = spec_.goal.reward(achieved.head(n), desired.head(n), spec_.goal.radius),
            .terminated = success && spec_.goal.ends_at_goal,
            .success = success};
  }

  void observe(ObsOut out) const override {
    out.obs.head(kQpos + kQvel + 1) << qpos().cast<Scalar>(), qvel().cast<Scalar>(),
        Scalar(0.001 * static_cast<double>(steps_));
    if (c_.observe_block)
      out.obs.tail(kBlock) =
          Eigen::Map<const Eigen::Matrix<double, kBlock, 1>>(sim_.data().qpos + kQpos).cast<Scalar>();
    out.achieved = achieved_goal().head(spec_.goal.dim);
    out.desired = goal_.cast<Scalar>().head(spec_.goal.dim);
  }

  void visit_state(StateVisitor& v) override {
    sim_.visit_state(v);
    v.visit("steps", steps_);
    v.visit("goal", std::span(goal_.data(), spec_.goal.dim));
  }

  // An observation begins with the torso's position.
  void draw_subgoal(ConstVectorRef obs, GoalMark mark, Scene& scene) const override {
    if (!obs.head<2>().allFinite()) return;
    const Vector3d at(double(obs(0)), double(obs(1)), std::isfinite(obs(2)) ? double(obs(2)) : qpos().z());
    mark_point(scene, at, 1, mark);
    if (mark == GoalMark::subgoal) scene.connect(Shape::Kind::capsule, 0.05, qpos().head<3>(), at, color_of(mark));
  }

 private:
  static constexpr int kBlock = 2;  // its coordinates follow the ant's
  using Goal = Eigen::Matrix<Scalar, 3, 1>;

  Goal achieved_goal() const { return qpos().head<3>().cast<Scalar>(); }

  Vector3d make_goal(Rng& rng) const {
    Vector3d goal = Vector3d::Map(task_.fixed_goal.data());
    if (c_.goals == AntGoals::drawn)
      for (int i = 0; i < spec_.goal.dim; ++i)
        goal(i) = task_.lowest_goal[i] + (task_.highest_goal[i] - task_.lowest_goal[i]) * double(rng.uniform());
    return {c_.goal_x.value_or(goal.x()), c_.goal_y.value_or(goal.y()), c_.goal_z.value_or(goal.z())};
  }

  const Task& task_;
  std::vector<Cell> starts_;
  AntMazeConfig c_;
  Vector3d goal_ = Vector3d::Zero();  // its first goal.dim entries count
  std::uint64_t steps_ = 0;
};

}  // namespace

MujocoModel ant_maze_model(AntTask task, Integrator integrator) {
  const Task& t = task_of(task);
  AntWorld world{.name = name_of(t, integrator)};
  const Cell origin = starts_of(t).front();
  const double half = t.cell / 2, height = t.cell / 2;
  t.map.for_each([&](int, int, char symbol) {
    if (symbol == 'X') world.lift = height;
    if (symbol == 'P' || symbol == 'F') world.solimp = "0.995 0.995 0.01";
  });
  t.map.for_each([&](int i, int j, char symbol) {
    const double x = t.cell * (j - origin.column), y = t.cell * (i - origin.row), z = world.lift + height / 2;
    if (world.lift > 0 && symbol != 'X')
      world.geoms += mjcf_box(x, y, height / 2, half, half, height / 2, R"(rgba="0.9 0.9 0.9 1")");
    if (symbol == '#') world.geoms += mjcf_box(x, y, z, half, half, height / 2, R"(rgba="0.4 0.4 0.4 1")");
    if (symbol == 'P')  // as wide as its cell: it touches floor and walls
      world.bodies += movable_block(x, y, z, half, height / 2, "0.0002",
                                    slide("1 0 0", R"(limited="false")") + slide("0 1 0", R"(limited="false")"));
    if (symbol == 'F')
      world.bodies += movable_block(x, y, z, 0.99 * half, height / 2, "0.001",
                                    slide("0 1 0", R"(range="-8 8")") + slide("0 0 1", R"(range="-4 0")"));
  });
  return make_ant_model(AntKind::hiro, integrator, world);
}

EnvFactory ant_maze_factory(AntTask task, Integrator integrator, const AntMazeConfig& config) {
  const Task& t = task_of(task);
  const std::string name = name_of(t, integrator);
  if (t.goal_dim < 3 && config.goal_z) throw UsageError(name + ": goal_z is given; expected none: goals are x and y");
  if (config.observe_block && task != AntTask::push && task != AntTask::fall)
    throw UsageError(name + ": observe_block = true, but it has no block; expected false");
  return [name, &t, config, model = ant_maze_model(task, integrator)] {
    return std::make_unique<AntMaze>(t, name, model, config);
  };
}

}  // namespace goalpost
