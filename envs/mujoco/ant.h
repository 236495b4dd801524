// The ant, a torso on four legs, and the base class of its environments.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "envs/drawable.h"
#include "envs/env.h"
#include "envs/mujoco/mujoco_env.h"

namespace goalpost {

/// Runge-Kutta of order four is the reference. Semi-implicit Euler takes a quarter of the time; the ant moves somewhat
/// more energetically with it.
enum class Integrator : int { rk4, euler };

/// One body with two sets of constants. hiro: torques of ±30 N m in steps of 5 x 0.02 s and soft contacts (Nachum et
/// al. 2018, released code); gym: torques of ±150 N m, given as ±1, in steps of 5 x 0.01 s (Gymnasium's Ant-v2 to v5).
enum class AntKind : int { hiro, gym };

/// The ant's surroundings, as MJCF elements.
struct AntWorld {
  std::string name;         ///< of the model, for errors
  std::string geoms = {};   ///< fixed, in addition to the floor at z = 0
  std::string bodies = {};  ///< movable; their coordinates follow the ant's
  double lift = 0;          ///< m, added to the starting height of 0.75 m
  /// Hardness of all contacts (MuJoCo's solimp); empty: the kind's own
  std::string solimp = {};
};

/// A map of cells drawn as text: lines of equal length, each ended by '\n'. # is a wall.
class CellMap {
 public:
  explicit constexpr CellMap(std::string_view text)
      : text_(text),
        columns_(static_cast<int>(text.find('\n'))),
        rows_(static_cast<int>(text.size()) / (columns_ + 1)) {}
  constexpr int rows() const { return rows_; }
  constexpr int columns() const { return columns_; }
  constexpr char at(int row, int column) const { return text_[row * (columns_ + 1) + column]; }
  /// f(row, column, symbol) for every cell, row by row.
  template <class F>
  void for_each(F f) const {
    for (int i = 0; i < rows_; ++i)
      for (int j = 0; j < columns_; ++j) f(i, j, at(i, j));
  }

 private:
  std::string_view text_;
  int columns_, rows_;
};

/// A box as an MJCF element. @param half sizes, m
std::string mjcf_box(double x, double y, double z, double half_x, double half_y, double half_z,
                     const std::string& attributes);

/// qpos [15]: torso x y z, quaternion w x y z, hip and ankle of legs 1 to 4 (front left, front right, back left, back
/// right); qvel [14]: torso linear in the world's and angular in its own axes, hinges. Controls [8]: hip and ankle of
/// legs 4, 1, 2, 3. The coordinates of the world's bodies follow.
/// @source Nachum et al. 2018, arXiv:1805.08296, released code; Gymnasium's ant
MujocoModel make_ant_model(AntKind kind, Integrator integrator, const AntWorld& world);

/// Base of the ant's environments: the simulation, its coordinates and a step.
class Ant : public Env, public Drawable {
 public:
  static constexpr int kQpos = 15, kQvel = 14, kControls = 8, kSubsteps = 5;

  /// Range of the torques.
  static ActionSpace action_space(const mjModel& model);

  const EnvSpec& spec() const final { return spec_; }
  std::vector<std::string> coordinate_names() const final { return sim_.coordinate_names(); }
  void get_coordinates(std::span<double> out) const final { sim_.get_coordinates(out); }
  void set_coordinates(std::span<const double> values) final {
    sim_.reset();  // removes earlier state: the same coordinates give the same bits
    sim_.set_coordinates(values);
  }

  /// Shows the whole world from above; the camera's subject is the torso.
  void draw(Scene& scene) const override;
  /// On the floor, or in the air where a goal has a height.
  void draw_goal(ConstVectorRef goal, GoalMark mark, Scene& scene) const override;

 protected:
  Ant(EnvSpec spec, MujocoModel model) : spec_(std::move(spec)), sim_(spec_.name, std::move(model)) {}
  /// Adds U(-0.1, 0.1) to each of the ant's positions and 0.1 N(0, 1) to each of its velocities; blocks are at rest at
  /// their initial positions.
  void reset_with_noise(Rng& rng);
  void move_to(double x, double y);  ///< the torso, m; nothing else changes
  void advance(ActionRef action);

  using PositionMap = Eigen::Map<const Eigen::Matrix<double, kQpos, 1>>;
  using VelocityMap = Eigen::Map<const Eigen::Matrix<double, kQvel, 1>>;
  PositionMap qpos() const { return PositionMap(sim_.data().qpos); }
  VelocityMap qvel() const { return VelocityMap(sim_.data().qvel); }

  EnvSpec spec_;
  MujocoSimulation sim_;
};

}  // namespace goalpost
