// AntMaze of Gymnasium-Robotics: an ant with strong motors has to reach a goal in a maze of 4 m cells.
//   state        15 positions and 14 velocities of the ant (envs/mujoco/ant.h), the observed contact forces, MuJoCo's
//                warm start. Reset: a goal cell and a start cell whose center is more than 2 m away from the goal; both
//                are the center of the cell plus U(-1, 1) m per axis; the ant at rest, hinges at 0, 0.75 m high
//   observation  [27] in version 4, [105] in version 5
//                  positions of the ant without x and y, m, 1, rad                              13
//                  velocities, m/s, rad/s                                                       14
//                  version 5: torque (N m) and force (N) of contacts on the 13 bodies of the ant, cut to [-1, 1];
//                  0 at reset                                                                   78
//   goal         x and y of the torso, m [2]
//   action       torques on hip and ankle of legs 4, 1, 2, 3, in units of 150 N m [8] in [-1, 1]
//   reward       sparse: 1 within 0.45 m of the goal, else 0; dense: exp(-distance / 1 m)       (after the step)
//   ends         never, not by falling over either (RoboticsAntMazeConfig::ends_at_goal: at the goal); time limit 700
//                (UMaze, Open) or 1000 (Medium, Large) steps of 0.05 s (5 substeps of 0.01 s)
//
//   UMaze    Open       Medium      Large           # wall    . free
//   #####    #######    ########    ############    r, g start and goals of the Diverse_G environments; in those of
//   #...#    #rgggg#    #r.##..#    #r...#g....#         Diverse_GR all of them are both
//   ###.#    #ggggg#    #..#..g#    #.##.#.#.#.#    x to the right, y upwards, the origin at the map's center
//   #...#    #ggggg#    ##...###    #....g.#..g#
//   #####    #######    #..#...#    #.####.###.#
//                       #g#..#.#    #.g#.#.....#
//                       #...#g.#    ##.#.#.#.###
//                       ########    #..#g.g#.g.#
//                                   ############
//
// Names, versions, maps and constants of Gymnasium-Robotics; originally Fu et al. 2020, D4RL, arXiv:2004.07219. Differs
// from that code: random numbers; single precision of observations and rewards; a reached goal is not drawn anew. The
// names with Euler integrate with semi-implicit Euler instead of RK4.
#include "envs/mujoco/robotics_ant_maze.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <memory>
#include <span>

#include "core/check.h"

namespace goalpost {
namespace {

using Eigen::Vector2d;

constexpr double kCell = 4, kHeight = 2;  // m
constexpr double kNoise = 1;              // m, of starts and goals around the middle of their cells
constexpr double kClosest = 2;            // m, between the goal and the middle of the start's cell
constexpr int kBodies = 13;               // of the ant

struct Maze {
  const char* name;
  CellMap map;
  bool marked;  // for Diverse environments
  int max_steps;
};
constexpr std::array<Maze, 4> kMazes{{
    {"UMaze",
     CellMap("#####\n"
             "#...#\n"
             "###.#\n"
             "#...#\n"
             "#####\n"),
     false, 700},
    {"Open",
     CellMap("#######\n"
             "#rgggg#\n"
             "#ggggg#\n"
             "#ggggg#\n"
             "#######\n"),
     true, 700},
    {"Medium",
     CellMap("########\n"
             "#r.##..#\n"
             "#..#..g#\n"
             "##...###\n"
             "#..#...#\n"
             "#g#..#.#\n"
             "#...#g.#\n"
             "########\n"),
     true, 1000},
    {"Large",
     CellMap("############\n"
             "#r...#g....#\n"
             "#.##.#.#.#.#\n"
             "#....g.#..g#\n"
             "#.####.###.#\n"
             "#.g#.#.....#\n"
             "##.#.#.#.###\n"
             "#..#g.g#.g.#\n"
             "############\n"),
     true, 1000},
}};

const Maze& maze_of(RoboticsMap map) { return kMazes[static_cast<std::size_t>(map)]; }

Vector2d cell_middle(const CellMap& map, int row, int column) {
  return {kCell * (column + 0.5 - 0.5 * map.columns()), kCell * (0.5 * map.rows() - row - 0.5)};
}

// Possible starts and goals, m.
struct Places {
  std::vector<Vector2d> starts, goals;
};

Places places_of(const Maze& maze, RoboticsCells cells) {
  Places p;
  maze.map.for_each([&](int i, int j, char symbol) {
    if (symbol == '#') return;
    const bool start = symbol == 'r', goal = symbol == 'g', any = cells == RoboticsCells::any;
    const bool both = cells == RoboticsCells::diverse && (start || goal);
    if (any || both || start) p.starts.push_back(cell_middle(maze.map, i, j));
    if (any || both || goal) p.goals.push_back(cell_middle(maze.map, i, j));
  });
  return p;
}

bool far_enough(const Vector2d& start, const Vector2d& goal) { return (start - goal).norm() > kClosest; }

Scalar sparse(ConstVectorRef achieved, ConstVectorRef desired, Scalar radius) {
  return (achieved - desired).squaredNorm() > radius * radius ? Scalar(0) : Scalar(1);
}
Scalar dense(ConstVectorRef achieved, ConstVectorRef desired, Scalar) { return std::exp(-(achieved - desired).norm()); }

class RoboticsAntMaze final : public Ant {
 public:
  RoboticsAntMaze(EnvSpec spec, MujocoModel model, std::shared_ptr<const Places> places,
                  const RoboticsAntMazeConfig& config)
      : Ant(std::move(spec), std::move(model)), places_(std::move(places)), c_(config) {
    contacts_ = Eigen::VectorXd::Zero(spec_.obs_dim - (kQpos - 2 + kQvel));
  }

  void reset(Rng& rng) override {
    goal_ = with_noise(place(places_->goals, rng, [](const Vector2d&) { return true; }), rng);
    if (c_.goal_x) goal_ = {*c_.goal_x, *c_.goal_y};
    const Vector2d cell = place(places_->starts, rng, [&](const Vector2d& p) { return far_enough(p, goal_); });
    sim_.reset();
    Vector2d::Map(sim_.data().qpos) = with_noise(cell, rng);
    sim_.forward();
    contacts_.setZero();
  }

  StepResult step(ActionRef action) override {
    advance(action);
    if (contacts_.size() > 0) {
      mj_rnePostConstraint(&sim_.model(), &sim_.data());
      contacts_ = Eigen::Map<const Eigen::VectorXd>(sim_.data().cfrc_ext + 6, 6 * kBodies).cwiseMax(-1).cwiseMin(1);
    }
    const Goal achieved = achieved_goal(), desired = goal_.cast<Scalar>();
    const bool success = spec_.goal.reached(achieved, desired);
    return {.reward = spec_.goal.reward(achieved, desired, spec_.goal.radius),
            .terminated = spec_.goal.ends_at_goal && success,
            .success = success};
  }

  void observe(ObsOut out) const override {
    out.obs << qpos().tail<kQpos - 2>().cast<Scalar>(), qvel().cast<Scalar>(), contacts_.cast<Scalar>();
    out.achieved = achieved_goal();
    out.desired = goal_.cast<Scalar>();
  }

  void visit_state(StateVisitor& v) override {
    sim_.visit_state(v);
    v.visit("goal", std::span(goal_.data(), 2));
    v.visit("contacts", std::span(contacts_.data(), contacts_.size()));
  }

 private:
  using Goal = Eigen::Matrix<Scalar, 2, 1>;

  Goal achieved_goal() const { return qpos().head<2>().cast<Scalar>(); }

  // One of the suitable cells, uniformly. @pre there is one
  template <class F>
  static Vector2d place(const std::vector<Vector2d>& places, Rng& rng, F suits) {
    std::uint32_t k = rng.below(static_cast<std::uint32_t>(std::count_if(places.begin(), places.end(), suits)));
    return *std::find_if(places.begin(), places.end(), [&](const Vector2d& p) { return suits(p) && k-- == 0; });
  }

  static Vector2d with_noise(const Vector2d& p, Rng& rng) {
    const double x = kNoise * (2 * double(rng.uniform()) - 1), y = kNoise * (2 * double(rng.uniform()) - 1);
    return p + Vector2d(x, y);
  }

  std::shared_ptr<const Places> places_;
  RoboticsAntMazeConfig c_;
  Vector2d goal_ = Vector2d::Zero();
  Eigen::VectorXd contacts_;  // as observed; empty in version 4
};

// A given goal must leave a cell to start from.
void check_goal(const std::string& name, const Places& places, const RoboticsAntMazeConfig& c) {
  if (c.goal_x.has_value() != c.goal_y.has_value())
    throw UsageError(name + ": one of goal_x and goal_y is given; expected both or none");
  if (!c.goal_x) return;
  const Vector2d goal(*c.goal_x, *c.goal_y);
  if (std::none_of(places.starts.begin(), places.starts.end(),
                   [&](const Vector2d& start) { return far_enough(start, goal); }))
    throw UsageError(detail::concatenate(name, ": goal_x = ", goal.x(), ", goal_y = ", goal.y(),
                                         "; expected a place more than ", kClosest,
                                         " m away from the middle of a cell to start from"));
}

std::string name_of(RoboticsMap map, RoboticsCells cells, int version, Integrator integrator) {
  constexpr std::array kCells = {"", "_Diverse_G", "_Diverse_GR"};
  return detail::concatenate("AntMaze_", maze_of(map).name, kCells[static_cast<std::size_t>(cells)],
                             integrator == Integrator::euler ? "Euler" : "", "-v", version);
}

}  // namespace

MujocoModel robotics_ant_maze_model(RoboticsMap map, Integrator integrator) {
  const Maze& maze = maze_of(map);
  AntWorld world{.name = name_of(map, RoboticsCells::any, 5, integrator)};
  maze.map.for_each([&](int i, int j, char symbol) {
    if (symbol != '#') return;
    const Vector2d p = cell_middle(maze.map, i, j);
    world.geoms += mjcf_box(p.x(), p.y(), kHeight / 2, kCell / 2, kCell / 2, kHeight / 2, R"(rgba="0.7 0.5 0.3 1")");
  });
  return make_ant_model(AntKind::gym, integrator, world);
}

EnvFactory robotics_ant_maze_factory(RoboticsMap map, RoboticsCells cells, int version, Integrator integrator,
                                     const RoboticsAntMazeConfig& config) {
  const Maze& maze = maze_of(map);
  const std::string name = name_of(map, cells, version, integrator);
  GP_CHECK(version == 4 || version == 5, name, ": version = ", version, "; expected 4 or 5");
  GP_CHECK(maze.marked || cells == RoboticsCells::any, name, ": no cells are marked in ", maze.name);
  const auto places = std::make_shared<const Places>(places_of(maze, cells));
  check_goal(name, *places, config);
  const MujocoModel model = robotics_ant_maze_model(map, integrator);
  const EnvSpec spec{.name = name,
                     .obs_dim = Ant::kQpos - 2 + Ant::kQvel + (version == 5 ? 6 * kBodies : 0),
                     .action = Ant::action_space(*model),
                     .goal = {.dim = 2,
                              .radius = Scalar(0.45),
                              .ends_at_goal = config.ends_at_goal,
                              .reward = config.reward == MazeReward::dense ? &dense : &sparse},
                     .max_steps = maze.max_steps,
                     .dt = Ant::kSubsteps * model->opt.timestep};
  return [=] { return std::make_unique<RoboticsAntMaze>(spec, model, places, config); };
}

}  // namespace goalpost
