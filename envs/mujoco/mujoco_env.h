// MuJoCo models and simulations, for the environments of this folder. The only include of MuJoCo's header.
#pragma once

#include <mujoco/mujoco.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/state.h"
#include "envs/scene.h"

namespace goalpost {

/// The version of the loaded library, e.g. "2.3.2".
std::string mujoco_version();

/// A compiled model. Read-only, so that lanes and threads share one.
using MujocoModel = std::shared_ptr<const mjModel>;

/// @param file MJCF, named from envs/assets, e.g. "fetch/reach.xml"
/// @throws std::runtime_error with MuJoCo's message if the file is missing, wrong or gives a warning
MujocoModel load_mujoco_model(const std::string& file);
/// The same for a model in memory. @param name for errors
MujocoModel parse_mujoco_model(const std::string& name, const std::string& mjcf);

/// The number of a named body, joint, site, ... @throws std::invalid_argument if the model has none of that name
int mujoco_id(const mjModel& model, mjtObj type, const char* name);

/// The simulation of one lane: a model and its state. MuJoCo's errors and warnings are thrown: it never exits, prints,
/// writes a log or continues from a state that it has reset by itself.
class MujocoSimulation {
 public:
  /// At the model's default state, with everything derived from it computed.
  /// @param name of the environment, for errors
  MujocoSimulation(std::string name, MujocoModel model);

  const mjModel& model() const { return *model_; }
  mjData& data() { return *data_; }
  const mjData& data() const { return *data_; }

  void reset();             ///< to the model's default state; computes nothing. @alloc none
  void forward();           ///< computes everything that follows from the state, in place. @alloc none
  void step(int substeps);  ///< @throws NumericsError for a NaN or huge state, std::runtime_error otherwise @alloc none
  /// Everything that step depends on; applied forces are left out, because no environment here applies any.
  /// What MuJoCo has derived from the state (poses of bodies, contacts) is neither saved nor recomputed.
  void visit_state(StateVisitor& v);

  /// qpos0, ..., qvel0, ...
  std::vector<std::string> coordinate_names() const;
  void get_coordinates(std::span<double> out) const;
  void set_coordinates(std::span<const double> values);  ///< and computes everything that follows from them

  /// Appends the visible geoms of the model at the poses last computed; meshes and height fields are left out.
  void draw(Scene& scene) const;
  /// Two corners, m, of the box around the centers of the model's fixed boxes, with their height.
  std::pair<Eigen::Vector3d, Eigen::Vector3d> fixed_bounds() const;

 private:
  template <class F>
  void guarded(F f);  // f(); MuJoCo's errors are thrown with environment and time

  struct Delete {
    void operator()(mjData* data) const { mj_deleteData(data); }
  };
  std::string name_;
  MujocoModel model_;
  std::unique_ptr<mjData, Delete> data_;
};

}  // namespace goalpost
