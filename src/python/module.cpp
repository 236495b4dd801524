// The Python module _goalpost, on which goalpost.py builds: environments, policies and runs as NumPy arrays. In Python
// a row is an observation; here it is a column, of the same bytes.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/processors.h"
#include "core/rng.h"
#include "envs/drawable.h"
#include "envs/registry.h"
#include "envs/vector_env.h"
#include "policy/policy.h"
#include "render/renderer.h"
#include "report/collect.h"
#include "run/experiment.h"

namespace py = pybind11;

namespace goalpost {
namespace {

using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Bytes = std::vector<std::uint8_t>;

py::array_t<float> rows_of(const Matrix& m) {
  py::array_t<float> a({m.cols(), m.rows()});
  if (m.size() > 0) std::memcpy(a.mutable_data(), m.data(), static_cast<std::size_t>(m.size()) * sizeof(float));
  return a;
}

py::array_t<bool> flags_of(const Bytes& flags) {
  py::array_t<bool> a(static_cast<py::ssize_t>(flags.size()));
  for (std::size_t i = 0; i < flags.size(); ++i) a.mutable_data()[i] = flags[i] != 0;
  return a;
}

py::array_t<float> vector_of(const Vector& v) { return py::array_t<float>(v.size(), v.data()); }

// Rows of a width as columns of a matrix. @throws py::value_error for another width
Eigen::Map<const Matrix> columns_of(const Floats& a, Index width, const char* what) {
  const Index size = a.ndim() == 0 ? 1 : a.shape(a.ndim() - 1);
  if (size != width)
    throw py::value_error(std::string(what) + ": " + std::to_string(size) + " numbers; expected " +
                          std::to_string(width));
  return {a.data(), width, width == 0 ? 0 : static_cast<Index>(a.size()) / width};
}

py::tuple observations(const ObsBatch& o) {
  return py::make_tuple(rows_of(o.obs), rows_of(o.achieved), rows_of(o.desired));
}

// Environments side by side.
class Envs {
 public:
  Envs(const std::string& name, const std::vector<std::string>& set, int lanes, std::uint64_t seed, int threads)
      : env_(make_environment(name, set, seed), lanes, Rng(seed), threads > 0 ? threads : usable_processors()) {}

  py::dict spec() const {
    const EnvSpec& s = env_.spec();
    py::dict d;
    d["name"] = s.name;
    d["obs_dim"] = s.obs_dim;
    d["goal_dim"] = s.goal.dim;
    d["choices"] = s.action.choices;
    d["low"] = vector_of(s.action.low);
    d["high"] = vector_of(s.action.high);
    d["max_steps"] = s.max_steps;
    d["dt"] = s.dt;
    d["radius"] = s.goal.radius;
    return d;
  }

  py::tuple reset(std::optional<std::uint64_t> seed) {
    {
      const py::gil_scoped_release free;
      if (seed)
        env_.reset(Rng(*seed));
      else
        env_.reset();
    }
    return observations(env_.obs());
  }
  py::tuple obs() const { return observations(env_.obs()); }

  // (observations, after, reward, terminated, truncated, success); where an episode ended, `observations` shows the
  // next one and `after` its own end
  py::tuple step(const Doubles& actions) {
    const ActionSpace& space = env_.spec().action;
    if (actions.size() != py::ssize_t{space.dim} * env_.lanes())
      throw py::value_error("step: " + std::to_string(actions.size()) + " numbers; expected actions of shape (" +
                            std::to_string(env_.lanes()) + ", " + std::to_string(space.dim) + ")");
    Eigen::MatrixXd a = Eigen::Map<const Eigen::MatrixXd>(actions.data(), space.dim, env_.lanes());
    const StepBatch* step = nullptr;
    {
      const py::gil_scoped_release free;
      if (space.kind == ActionSpace::Kind::continuous)
        a = a.cwiseMax(space.low.cast<double>().replicate(1, a.cols()))
                .cwiseMin(space.high.cast<double>().replicate(1, a.cols()));
      step = &env_.step_in_unit(a);
    }
    py::array_t<double> reward(env_.lanes());
    for (int i = 0; i < env_.lanes(); ++i) reward.mutable_data()[i] = static_cast<double>(step->reward(0, i));
    bool ended = false;
    for (int i = 0; i < env_.lanes(); ++i) ended = ended || step->ended(i);
    return py::make_tuple(observations(env_.obs()), ended ? py::object(observations(step->after)) : py::none(), reward,
                          flags_of(step->terminated), flags_of(step->truncated), flags_of(step->success));
  }

  py::array_t<double> compute_reward(const Floats& achieved, const Floats& desired) const {
    const GoalSpace& goal = env_.spec().goal;
    if (goal.dim == 0 || goal.minus_before)
      throw py::value_error("compute_reward: the reward of " + env_.spec().name + " is no function of two goals");
    const auto a = columns_of(achieved, goal.dim, "achieved_goal"), d = columns_of(desired, goal.dim, "desired_goal");
    if (a.cols() != d.cols()) throw py::value_error("compute_reward: expected as many achieved as desired goals");
    py::array_t<double> reward(a.cols());
    for (Index i = 0; i < a.cols(); ++i)
      reward.mutable_data()[i] = static_cast<double>(goal.reward_of(a.col(i), a.col(i), d.col(i)));
    return reward;
  }

  py::array_t<std::uint8_t> render(int lane, int width, int height) {
    if (!renderer_ || width != width_ || height != height_) {
      renderer_ = std::make_unique<Renderer>(width, height);
      width_ = width;
      height_ = height;
    }
    Scene scene;
    const Env& env = env_.lane(lane);
    drawing_of(env).draw(scene);
    draw_goals(env, scene);
    const Frame& frame = renderer_->draw(scene);
    return py::array_t<std::uint8_t>({frame.height, frame.width, 3}, frame.rgb.data());
  }

 private:
  VectorEnv env_;
  std::unique_ptr<Renderer> renderer_;
  int width_ = 0, height_ = 0;
};

class PythonPolicy {
 public:
  PythonPolicy(const std::string& path, std::uint64_t seed) : policy_(Policy::read(path)), rng_(seed) {}
  const Policy& policy() const { return policy_; }
  std::unique_ptr<PolicyMemory> begin(Index lanes) const { return std::make_unique<PolicyMemory>(policy_, lanes); }

  // @param first where an episode begins
  py::array_t<float> act(const Floats& obs, const Floats& goal, PolicyMemory& memory, const std::vector<bool>& first,
                         bool deterministic) {
    const auto o = columns_of(obs, policy_.obs_size, "observation");
    const auto g = policy_.goal_size == 0 ? Eigen::Map<const Matrix>(nullptr, 0, o.cols())
                                          : columns_of(goal, policy_.goal_size, "desired_goal");
    for (std::size_t i = 0; i < first.size(); ++i)
      if (first[i]) memory.begin_episode(static_cast<Index>(i));
    Matrix action(policy_.action_size(), o.cols());
    const bool sample = !deterministic && policy_.is_stochastic();
    if (sample) {
      noise_.resize(action.rows(), action.cols());
      for (Index i = 0; i < noise_.size(); ++i) noise_.data()[i] = rng_.normal();
    }
    policy_.act(o, g, memory, action, sample ? &noise_ : nullptr);
    return rows_of(action);
  }

 private:
  Policy policy_;
  Rng rng_;
  Matrix noise_;
};

py::list read_runs(const std::vector<std::string>& directories) {
  std::vector<MeasuredRun> unfinished;
  std::vector<MeasuredRun> runs = find_runs({directories.begin(), directories.end()}, nullptr, &unfinished);
  for (MeasuredRun& run : unfinished) runs.push_back(std::move(run));
  py::list list;
  for (const MeasuredRun& run : runs) {
    py::dict d;
    d["experiment"] = run.experiment.name;
    d["variant"] = run.variant;
    d["label"] = run.experiment.label;
    d["algorithm"] = run.experiment.algorithm;
    d["environment"] = run.experiment.env_name;
    d["seed"] = run.experiment.seed;
    d["finished"] = run.finished;
    d["steps"] = run.result.progress.step;
    d["success"] = run.finished ? py::object(py::float_(run.result.final.success)) : py::none();
    d["return"] = run.finished ? py::object(py::float_(run.result.final.mean_return)) : py::none();
    d["revision"] = run.result.revision;
    d["directory"] = run.directory.string();
    d["curve"] = run.curve.string();
    list.append(d);
  }
  return list;
}

// Of a loop in C++ with random actions, to compare with; transitions per second.
double steps_per_second(const std::string& name, int lanes, int steps, int threads) {
  const py::gil_scoped_release free;
  VectorEnv env(make_environment(name, {}, 0), lanes, Rng(0), threads > 0 ? threads : usable_processors());
  Rng rng(1);
  Matrix action(env.spec().action.dim, lanes);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i) {
    rng.fill_uniform(-1, 1, action);
    env.step(action);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  return steps * static_cast<double>(lanes) / seconds.count();
}

std::vector<std::string> environment_names() {
  std::vector<std::string> names;
  for (const EnvEntry& e : environments()) names.push_back(e.name);
  return names;
}

}  // namespace
}  // namespace goalpost

PYBIND11_MODULE(_goalpost, m) {
  using namespace goalpost;
  m.doc() = "goalpost's environments, policies and runs; use the module goalpost";
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const UsageError& e) {
      PyErr_SetString(PyExc_ValueError, e.what());
    }
  });
  m.def("environments", &environment_names);
  m.def("read_runs", &read_runs);
  m.def("steps_per_second", &steps_per_second);
  py::class_<Envs>(m, "Envs")
      .def(py::init<const std::string&, const std::vector<std::string>&, int, std::uint64_t, int>(), py::arg("name"),
           py::arg("set"), py::arg("lanes"), py::arg("seed") = 0, py::arg("threads") = 1)
      .def("spec", &Envs::spec)
      .def("reset", &Envs::reset, py::arg("seed") = py::none())
      .def("obs", &Envs::obs)
      .def("step", &Envs::step)
      .def("compute_reward", &Envs::compute_reward)
      .def("render", &Envs::render);
  py::class_<PolicyMemory>(m, "PolicyMemory");
  py::class_<PythonPolicy>(m, "Policy")
      .def(py::init<const std::string&, std::uint64_t>(), py::arg("path"), py::arg("seed") = 0)
      .def("begin", &PythonPolicy::begin)
      .def("act", &PythonPolicy::act)
      .def_property_readonly("algorithm", [](const PythonPolicy& p) { return p.policy().algorithm; })
      .def_property_readonly("environment", [](const PythonPolicy& p) { return p.policy().environment; })
      .def_property_readonly("step", [](const PythonPolicy& p) { return p.policy().step; })
      .def_property_readonly("obs_size", [](const PythonPolicy& p) { return p.policy().obs_size; })
      .def_property_readonly("goal_size", [](const PythonPolicy& p) { return p.policy().goal_size; })
      .def_property_readonly("discrete", [](const PythonPolicy& p) { return p.policy().choices > 0; });
}
