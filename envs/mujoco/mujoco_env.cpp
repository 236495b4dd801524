#include "envs/mujoco/mujoco_env.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include "core/check.h"
#include "core/data_path.h"

namespace goalpost {
namespace {

// MuJoCo's own handlers print, write a log file and exit. An error must not return: it is thrown through
// MuJoCo's frames. A warning is counted in the data of its simulation, and read there.
[[noreturn]] void throw_error(const char* text) { throw std::runtime_error(text); }
void ignore_warning(const char*) {}

void install_handlers() {
  [[maybe_unused]] static const bool once = [] {
    mju_user_error = &throw_error;
    mju_user_warning = &ignore_warning;
    return true;
  }();
}

bool is_numeric(int warning) {
  return warning == mjWARN_BADQPOS || warning == mjWARN_BADQVEL || warning == mjWARN_BADQACC ||
         warning == mjWARN_BADCTRL;
}

std::optional<Shape::Kind> shape_kind(int geom_type) {
  switch (geom_type) {
    case mjGEOM_PLANE:
      return Shape::Kind::plane;
    case mjGEOM_SPHERE:
      return Shape::Kind::sphere;
    case mjGEOM_CAPSULE:
      return Shape::Kind::capsule;
    case mjGEOM_ELLIPSOID:
      return Shape::Kind::ellipsoid;
    case mjGEOM_CYLINDER:
      return Shape::Kind::cylinder;
    case mjGEOM_BOX:
      return Shape::Kind::box;
    default:
      return std::nullopt;
  }
}

MujocoModel load(const std::string& file, const mjVFS* files) {
  install_handlers();
  if (mj_version() != mjVERSION_HEADER)
    throw std::runtime_error(detail::concatenate("MuJoCo ", mj_version(), " is loaded, but goalpost was built with ",
                                                 mjVERSION_HEADER, "; build it again"));
  std::array<char, 1000> error{};
  mjModel* model = mj_loadXML(file.c_str(), files, error.data(), static_cast<int>(error.size()));
  MujocoModel shared(model, [](const mjModel* m) { mj_deleteModel(const_cast<mjModel*>(m)); });
  if (model == nullptr || error[0] != '\0') throw std::runtime_error(file + ": " + error.data());
  return shared;
}

}  // namespace

std::string mujoco_version() { return mj_versionString(); }

MujocoModel load_mujoco_model(const std::string& file) {
  return load(data_path("envs/assets/" + file).string(), nullptr);
}

MujocoModel parse_mujoco_model(const std::string& name, const std::string& mjcf) {
  const std::string file = name + ".xml";
  const std::unique_ptr<mjVFS, void (*)(mjVFS*)> files(new mjVFS, [](mjVFS* vfs) {
    mj_deleteVFS(vfs);
    delete vfs;
  });
  mj_defaultVFS(files.get());
  if (mj_makeEmptyFileVFS(files.get(), file.c_str(), static_cast<int>(mjcf.size())) != 0)
    throw std::runtime_error(name + ": MuJoCo cannot hold the model in memory");
  std::memcpy(files->filedata[mj_findFileVFS(files.get(), file.c_str())], mjcf.data(), mjcf.size());
  return load(file, files.get());
}

int mujoco_id(const mjModel& model, mjtObj type, const char* name) {
  const int id = mj_name2id(&model, type, name);
  GP_CHECK(id >= 0, "mujoco_id: the model ", &model.names[0], " has no ", mju_type2Str(type), " called \"", name, '"');
  return id;
}

MujocoSimulation::MujocoSimulation(std::string name, MujocoModel model)
    : name_(std::move(name)), model_(std::move(model)), data_(mj_makeData(model_.get())) {
  if (data_ == nullptr) throw std::runtime_error(name_ + ": MuJoCo cannot allocate the data of a simulation");
  forward();
}

template <class F>
void MujocoSimulation::guarded(F f) {
  const double time = data_->time;  // a state that MuJoCo has reset begins at 0
  const auto message = [&](const char* text) {
    return detail::concatenate(name_, ": MuJoCo stopped in the step after ", time, " s of simulated time: ", text);
  };
  try {
    f();
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(message(error.what()));
  }
  for (int w = 0; w < mjNWARNING; ++w) {
    if (data_->warning[w].number == 0) continue;
    const char* text = mju_warningText(w, data_->warning[w].lastinfo);
    if (is_numeric(w)) throw NumericsError(message(text));
    throw std::runtime_error(message(text));
  }
}

void MujocoSimulation::reset() { mj_resetData(model_.get(), data_.get()); }

void MujocoSimulation::forward() {
  guarded([&] { mj_forward(model_.get(), data_.get()); });
}

void MujocoSimulation::step(int substeps) {
  guarded([&] {
    for (int i = 0; i < substeps; ++i) mj_step(model_.get(), data_.get());
  });
}

void MujocoSimulation::visit_state(StateVisitor& v) {
  const mjModel& m = *model_;
  mjData& d = *data_;
  const auto visit = [&](const char* name, double* values, int n) {
    if (n > 0) v.visit(name, std::span(values, n));
  };
  visit("time", &d.time, 1);
  visit("qpos", d.qpos, m.nq);
  visit("qvel", d.qvel, m.nv);
  visit("act", d.act, m.na);
  visit("ctrl", d.ctrl, m.nu);
  visit("mocap_pos", d.mocap_pos, 3 * m.nmocap);
  visit("mocap_quat", d.mocap_quat, 4 * m.nmocap);
  visit("qacc_warmstart", d.qacc_warmstart, m.nv);  // where the solver starts, and so its last bits
  visit("userdata", d.userdata, m.nuserdata);
  for (mjWarningStat& warning : d.warning) warning = {};  // what was wrong with the state before a load
}

std::vector<std::string> MujocoSimulation::coordinate_names() const {
  std::vector<std::string> names;
  for (int i = 0; i < model_->nq; ++i) names.push_back("qpos" + std::to_string(i));
  for (int i = 0; i < model_->nv; ++i) names.push_back("qvel" + std::to_string(i));
  return names;
}

void MujocoSimulation::get_coordinates(std::span<double> out) const {
  std::copy_n(data_->qpos, model_->nq, out.begin());
  std::copy_n(data_->qvel, model_->nv, out.begin() + model_->nq);
}

void MujocoSimulation::set_coordinates(std::span<const double> values) {
  std::copy_n(values.begin(), model_->nq, data_->qpos);
  std::copy_n(values.begin() + model_->nq, model_->nv, data_->qvel);
  forward();
}

void MujocoSimulation::draw(Scene& scene) const {
  const mjModel& m = *model_;
  for (int i = 0; i < m.ngeom; ++i) {
    const float* rgba = m.geom_matid[i] >= 0 ? m.mat_rgba + 4 * m.geom_matid[i] : m.geom_rgba + 4 * i;
    const std::optional<Shape::Kind> kind = shape_kind(m.geom_type[i]);
    if (!kind || rgba[3] == 0) continue;
    const mjtNum* size = m.geom_size + 3 * i;
    Shape& shape = scene.add(*kind, Eigen::Vector3d::Map(size), Eigen::Vector3d::Map(data_->geom_xpos + 3 * i),
                             {rgba[0], rgba[1], rgba[2], rgba[3]});
    if (kind == Shape::Kind::sphere) shape.size.setConstant(size[0]);
    if (kind == Shape::Kind::capsule || kind == Shape::Kind::cylinder) shape.size = {size[0], size[0], size[1]};
    shape.rotation = Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(data_->geom_xmat + 9 * i);
  }
}

std::pair<Eigen::Vector3d, Eigen::Vector3d> MujocoSimulation::fixed_bounds() const {
  const mjModel& m = *model_;
  Eigen::Vector3d low = Eigen::Vector3d::Constant(mjMAXVAL), high = -low;
  for (int i = 0; i < m.ngeom; ++i) {
    if (m.geom_bodyid[i] != 0 || m.geom_type[i] != mjGEOM_BOX) continue;
    const Eigen::Vector3d middle = Eigen::Vector3d::Map(data_->geom_xpos + 3 * i), half(0, 0, m.geom_size[3 * i + 2]);
    low = low.cwiseMin(middle - half);
    high = high.cwiseMax(middle + half);
  }
  return {low, high};
}

}  // namespace goalpost
