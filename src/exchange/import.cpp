#include "exchange/import.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "exchange/arrays.h"
#include "storage/file.h"
#include "storage/zip_file.h"

namespace goalpost {
namespace {

using nlohmann::json;
using Tensors = std::map<std::string, Matrix>;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& reason) {
  throw std::runtime_error(fmt::format("{}: {}", file.string(), reason));
}

Matrix matrix_of(const Array& a) {
  const Index rows = a.shape.empty() ? 1 : a.shape[0], columns = a.shape.size() > 1 ? a.shape[1] : 1;
  Matrix m(rows, columns);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < columns; ++j) m(i, j) = static_cast<Scalar>(a.values[i * columns + j]);
  return m;
}

Eigen::VectorXd vector_of(const Array& a) {
  return Eigen::Map<const Eigen::VectorXd>(a.values.data(), std::ssize(a.values));
}

// The tensors of a state dict, by name.
Tensors tensors_of(const TorchFile& torch, const Pickle& dict) {
  Tensors tensors;
  for (const auto& [key, value] : dict.pairs)
    if (TorchFile::is_tensor(*value)) tensors[key->text] = matrix_of(torch.tensor(*value));
  return tensors;
}

// The layer `name`.weight, `name`.bias. @throws std::runtime_error if it is not complete
ForeignPolicy::Layer layer(const Tensors& tensors, const std::string& name, const std::filesystem::path& file) {
  const auto W = tensors.find(name + ".weight"), b = tensors.find(name + ".bias");
  if (W == tensors.end() || b == tensors.end()) fail(file, fmt::format("it lacks {0}.weight or {0}.bias", name));
  if (b->second.cols() != 1 || b->second.rows() != W->second.rows())
    fail(file, fmt::format("{}.bias has {} numbers; expected {}, one for each row of the weights", name,
                           b->second.size(), W->second.rows()));
  return {W->second, b->second};
}

bool has_layer(const Tensors& tensors, const std::string& name) { return tensors.contains(name + ".weight"); }

// Layers name.0, name.2, ... of a torch.nn.Sequential with activations between them.
void add_sequence(ForeignPolicy& p, const Tensors& tensors, const std::string& name,
                  const std::filesystem::path& file) {
  for (int i = 0; has_layer(tensors, fmt::format("{}.{}", name, i)); i += 2)
    p.layers.push_back(layer(tensors, fmt::format("{}.{}", name, i), file));
}

// ---- Stable-Baselines3

json json_in(const ZipReader& zip, const std::string& name, const std::filesystem::path& file) {
  json data = json::parse(zip.read(name), nullptr, false);
  if (!data.is_object()) fail(file, fmt::format("its {} is no JSON object", name));
  return data;
}

// Where a policy is said to have this argument. Its value may be of any type of Python's, written as text.
std::string policy_argument(const json& data, const char* name) {
  const auto arguments = data.find("policy_kwargs");
  if (arguments == data.end() || !arguments->is_object() || !arguments->contains(name)) return "";
  const json& value = arguments->at(name);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void read_sb3_layers(ForeignPolicy& p, const Tensors& t, const std::filesystem::path& file) {
  for (const auto& [name, tensor] : t) {
    const bool other = name.find("features_extractor") != name.npos || name.ends_with("log_std");
    if (other && name.find("critic") == name.npos)
      fail(file, fmt::format("its {} belongs to a network that is not read; expected layers that are fully connected, "
                             "without gSDE",
                             name));
  }
  if (has_layer(t, "actor.log_std")) {
    p.algorithm = "sac";
    add_sequence(p, t, "actor.latent_pi", file);
    const ForeignPolicy::Layer mean = layer(t, "actor.mu", file), log_std = layer(t, "actor.log_std", file);
    if (mean.W.rows() != log_std.W.rows() || mean.W.cols() != log_std.W.cols())
      fail(file, "its actor.mu and actor.log_std have different sizes");
    ForeignPolicy::Layer both{Matrix(2 * mean.W.rows(), mean.W.cols()), Vector(2 * mean.W.rows())};
    both.W << mean.W, log_std.W;
    both.b << mean.b, log_std.b;
    p.layers.push_back(std::move(both));
  } else if (has_layer(t, "actor.mu.0")) {
    p.algorithm = has_layer(t, "critic.qf1.0") ? "td3" : "ddpg";
    add_sequence(p, t, "actor.mu", file);
  } else if (has_layer(t, "q_net.q_net.0")) {
    p.algorithm = "dqn";
    add_sequence(p, t, "q_net.q_net", file);
  } else {
    fail(file, "its networks are not those of SAC, TD3, DDPG or DQN with fully connected layers");
  }
}

Activation sb3_activation(const json& data, const std::filesystem::path& file) {
  const std::string name = policy_argument(data, "activation_fn");
  if (name.empty() || name.find("ReLU'") != name.npos) return Activation::relu;
  if (name.find("Tanh'") != name.npos) return Activation::tanh;
  fail(file, fmt::format("its policy_kwargs.activation_fn is {}; expected ReLU or Tanh", name));
}

ForeignPolicy read_sb3(const ZipReader& zip, const std::filesystem::path& file) {
  ForeignPolicy p;
  const json data = json_in(zip, "data", file);
  if (const auto sde = data.find("use_sde"); sde != data.end() && *sde == true)
    fail(file, "its use_sde is true; expected a policy without state-dependent exploration (gSDE)");
  std::string version = zip.has("_stable_baselines3_version") ? zip.read("_stable_baselines3_version") : "";
  while (!version.empty() && version.back() <= ' ') version.pop_back();
  p.source = fmt::format("Stable-Baselines3{}{}", version.empty() ? "" : " ", version);
  const std::string bytes = zip.read("policy.pth");
  const TorchFile torch(bytes, fmt::format("{}: policy.pth", file.string()));
  read_sb3_layers(p, tensors_of(torch, torch.root()), file);
  p.activation = sb3_activation(data, file);
  if (const auto steps = data.find("num_timesteps"); steps != data.end() && steps->is_number_integer())
    p.step = steps->get<std::int64_t>();
  p.inputs = {"obs"};
  return p;
}

// Names of VecNormalize's inputs: a Dict's keys.
std::string input_name(const std::string& key) { return key == "observation" ? "obs" : key; }

// RunningMeanStd
ForeignStatistics sb3_statistics(const Pickle& p, double epsilon, const std::filesystem::path& file) {
  const Pickle* mean = p.state == nullptr ? nullptr : p.state->find("mean");
  const Pickle* variance = p.state == nullptr ? nullptr : p.state->find("var");
  if (mean == nullptr || variance == nullptr) fail(file, "its obs_rms has no mean and var");
  ForeignStatistics s{vector_of(numbers_of(*mean, file.string())), vector_of(numbers_of(*variance, file.string()))};
  if (s.mean.size() != s.stddev.size()) fail(file, "its obs_rms has a mean and a var of different sizes");
  s.stddev = (s.stddev.array() + epsilon).sqrt();
  return s;
}

void read_vec_normalize(ForeignPolicy& p, const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  const PickleDocument document(bytes, file.string());
  const Pickle* state = document.root().state;
  const Pickle* statistics = state == nullptr ? nullptr : state->find("obs_rms");
  if (statistics == nullptr) fail(file, "this is no VecNormalize: it has no obs_rms");
  const auto number = [&](const char* name, double otherwise) {
    const Pickle* value = state->find(name);
    return value == nullptr ? otherwise : numbers_of(*value, file.string()).values.front();
  };
  if (number("norm_obs", 1) == 0) return;
  p.clip = number("clip_obs", 10);
  const double epsilon = number("epsilon", 1e-8);
  if (statistics->kind != Pickle::Kind::dict) {
    p.statistics["obs"] = sb3_statistics(*statistics, epsilon, file);
    return;
  }
  for (const auto& [key, value] : statistics->pairs)
    p.statistics[input_name(key->text)] = sb3_statistics(*value, epsilon, file);
}

// ---- TianhongDai/hindsight-experience-replay: [o_mean, o_std, g_mean, g_std, state dict of the actor]

bool is_her_repository(const Pickle& root) {
  using Kind = Pickle::Kind;
  if ((root.kind != Kind::list && root.kind != Kind::tuple) || root.items.size() != 5) return false;
  for (int i = 0; i < 4; ++i)
    if (!is_numbers(*root.items[i])) return false;
  return !root.items[4]->pairs.empty();
}

ForeignPolicy read_her_repository(const TorchFile& torch, const std::filesystem::path& file) {
  ForeignPolicy p;
  p.algorithm = "ddpg";
  p.source = "hindsight-experience-replay";
  p.inputs = {"obs", "desired_goal"};
  p.clip = 5;
  p.raw_clip = 200;
  const std::vector<const Pickle*>& items = torch.root().items;
  const auto vector = [&](std::size_t i) { return vector_of(numbers_of(*items[i], file.string())); };
  p.statistics["obs"] = {vector(0), vector(1)};
  p.statistics["desired_goal"] = {vector(2), vector(3)};
  const Tensors tensors = tensors_of(torch, *items[4]);
  for (int i = 1; has_layer(tensors, fmt::format("fc{}", i)); ++i)
    p.layers.push_back(layer(tensors, fmt::format("fc{}", i), file));
  p.layers.push_back(layer(tensors, "action_out", file));
  return p;
}

void check_layers(const ForeignPolicy& p, const std::filesystem::path& file) {
  for (std::size_t i = 0; i < p.layers.size(); ++i) {
    if (!p.layers[i].W.allFinite() || !p.layers[i].b.allFinite()) fail(file, "its weights are not all finite");
    if (i > 0 && p.layers[i].W.cols() != p.layers[i - 1].W.rows())
      fail(file, fmt::format("layer {} takes {} numbers, but the one before gives {}", i, p.layers[i].W.cols(),
                             p.layers[i - 1].W.rows()));
  }
  for (const auto& [name, s] : p.statistics)
    if (!s.mean.allFinite() || !s.stddev.allFinite() || s.mean.size() != s.stddev.size() ||
        (s.stddev.array() <= 0).any())
      fail(file, fmt::format("the statistics of {} are not finite, or a deviation is not positive", name));
}

}  // namespace

ForeignPolicy read_foreign_policy(const std::filesystem::path& file, const std::filesystem::path& normalizer) {
  for (const std::filesystem::path& path : {file, normalizer}) expect_no_stream(path);
  const std::string bytes = read_file(file);
  ForeignPolicy p;
  const bool zip = bytes.starts_with("PK");
  if (zip && ZipReader::of_bytes(bytes, file.string()).has("policy.pth")) {
    p = read_sb3(ZipReader::of_bytes(bytes, file.string()), file);
    if (!normalizer.empty()) read_vec_normalize(p, normalizer);
  } else {
    const TorchFile torch(bytes, file.string());
    if (!is_her_repository(torch.root()))
      fail(file,
           "expected a zip of Stable-Baselines3, or a list of means, deviations and weights as that of "
           "hindsight-experience-replay");
    if (!normalizer.empty()) fail(file, "it has its own statistics; expected no --normalizer");
    p = read_her_repository(torch, file);
  }
  check_layers(p, file);
  return p;
}

}  // namespace goalpost
