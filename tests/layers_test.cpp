// The arrows between the layers: reads the include lines of every source file and fails on one that points upwards.
//
//   core < autodiff < nn < algos       core < envs (spec, step, env, vector_env) < concrete environments < registry
//   core, envs, registry < storage     algos, envs < train      algos, envs, storage < render
//   nn, storage < policy < exchange
//   all of these < run < report < cli
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

bool starts_with_any(const std::string& text, const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes)
    if (text.starts_with(prefix)) return true;
  return false;
}

// What algorithms and files may know of environments.
const Names kEnvInterface = {"envs/spec.h", "envs/step.h"};

// The layer of a file, from its path below the top folder or below src; empty if it belongs to none.
std::string layer_of(std::string path) {
  if (path.starts_with("src/")) path = path.substr(4);
  if (path.starts_with("envs/")) {
    if (path.find('/', 5) != std::string::npos) return "environments";  // envs/classic, envs/mujoco, ...
    return path.starts_with("envs/registry.") ? "registry" : "envs";
  }
  const std::size_t slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

// Which layers a layer may include, itself aside.
const std::map<std::string, Names> kAllowed = {
    {"core", {}},
    {"autodiff", {"core"}},
    {"nn", {"autodiff", "core"}},
    {"envs", {"core"}},
    {"environments", {"envs", "core"}},
    {"registry", {"environments", "envs", "core"}},
    {"algos", {"nn", "autodiff", "core", "envs"}},
    {"storage", {"core", "envs", "registry"}},  // episodes of earlier revisions lack settings: they had the defaults
    {"policy", {"nn", "autodiff", "storage", "core"}},
    {"exchange", {"policy", "nn", "autodiff", "storage", "core"}},
    {"train", {"algos", "nn", "autodiff", "envs", "core"}},
    {"render", {"algos", "nn", "autodiff", "storage", "envs", "core"}},
    {"run",
     {"exchange", "policy", "render", "train", "algos", "nn", "autodiff", "storage", "registry", "envs", "core"}},
    {"report", {"run", "policy", "train", "algos", "storage", "registry", "envs", "core"}},
    {"python", {"report", "run", "policy", "render", "registry", "envs", "core"}},
    {"cli",
     {"report", "run", "exchange", "policy", "render", "train", "algos", "autodiff", "storage", "registry", "envs",
      "core"}},
};

struct Foreign {
  std::vector<std::string> headers;  // how such a header's name begins
  std::vector<std::string> files;    // which files may include it, by the beginning of their path
};
const std::vector<Foreign> kForeign = {
    {{"mujoco/", "mujoco.h"}, {"envs/mujoco/mujoco_env."}},
    {{"bullet/", "btBullet", "BulletDynamics/", "BulletCollision/", "LinearMath/", "PhysicsClientC_API",
      "SharedMemory/"},
     {"envs/bullet/"}},
    {{"hdf5", "H5"}, {"src/storage/hdf5_"}},
    {{"toml"}, {"src/storage/toml."}},
    {{"google/protobuf", "event.pb.h"}, {"src/storage/event_file."}},  // event.pb.h is generated
    {{"onnx_format.pb.h"}, {"src/exchange/export_onnx."}},
    {{"zip.h"}, {"src/storage/zip_file."}},
    {{"CLI/", "CLI11", "cxxopts", "argparse", "getopt"}, {"src/cli/"}},
    {{"pybind11/"}, {"src/python/"}},
    {{"isa-l"}, {"src/storage/event_file."}},
    {{"fmt/", "nlohmann/"},
     {"src/storage/", "src/policy/", "src/exchange/", "src/render/", "src/run/", "src/report/", "src/cli/"}},
    {{"libavcodec/", "libavformat/", "libavutil/", "libswscale/"}, {"src/render/video_writer."}},
    {{"dlfcn.h", "GL/", "EGL/"}, {"src/render/renderer."}},
    {{"Random123/"}, {"src/core/rng.cpp"}},
    {{"omp.h"}, {"src/core/parallel.cpp", "src/core/thread_pool.cpp"}},
};

struct Include {
  std::string file;  // below the top folder
  int line;
  std::string header;
  bool quoted;
};

std::vector<Include> includes_of(const std::string& file, std::istream& text) {
  std::vector<Include> list;
  std::string line;
  for (int number = 1; std::getline(text, line); ++number) {
    const std::size_t hash = line.find_first_not_of(" \t");
    if (hash == std::string::npos || line[hash] != '#') continue;
    const std::size_t word = line.find_first_not_of(" \t", hash + 1);
    if (word == std::string::npos || line.compare(word, 7, "include") != 0) continue;
    const std::size_t open = line.find_first_of("\"<", word);
    if (open == std::string::npos) continue;
    const std::size_t close = line.find_first_of("\">", open + 1);
    list.push_back({file, number, line.substr(open + 1, close - open - 1), line[open] == '"'});
  }
  return list;
}

// Single files that may do what their layers may not: MuJoCo's renderer draws the scenes of all engines.
const std::set<std::pair<std::string, std::string>> kExceptions = {
    {"src/render/renderer.cpp", "envs/mujoco/mujoco_env.h"},
};

/// What is wrong with an include, or nothing.
std::string complaint(const Include& i) {
  const std::string from = layer_of(i.file), to = layer_of(i.header);
  const bool ours = i.quoted && kAllowed.contains(to);
  if (!ours) {
    for (const Foreign& foreign : kForeign)
      if (starts_with_any(i.header, foreign.headers))
        return starts_with_any(i.file, foreign.files) ? ""
                                                      : "this header belongs to " + foreign.files.front() + " alone";
    return i.quoted ? "it names no layer; expected a path from the top folder or from src" : "";
  }
  if (kExceptions.contains({i.file, i.header})) return "";
  if (!kAllowed.contains(from)) return "the file lies in no known layer";
  if (from != to && !kAllowed.at(from).contains(to)) return from + " must not know " + to;
  if ((from == "algos" || from == "storage") && to == "envs" && !kEnvInterface.contains(i.header))
    return from + " must not know " + i.header;
  return "";
}

std::vector<Include> all_includes(int* files) {
  const fs::path top = GOALPOST_SOURCE;
  std::vector<Include> all;
  for (const char* folder : {"src", "autodiff", "nn", "algos", "envs"}) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(top / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cpp") continue;
      ++*files;
      std::ifstream text(entry.path());
      const std::vector<Include> some = includes_of(entry.path().lexically_relative(top).generic_string(), text);
      all.insert(all.end(), some.begin(), some.end());
    }
  }
  return all;
}

TEST(Layers, EveryIncludePointsDown) {
  int files = 0;
  const std::vector<Include> all = all_includes(&files);
  EXPECT_GT(files, 50) << "the sources were not found below " GOALPOST_SOURCE;
  EXPECT_GT(all.size(), 200u);
  for (const Include& i : all) EXPECT_EQ(complaint(i), "") << i.file << ":" << i.line << ": #include " << i.header;
}

TEST(Layers, EveryHeaderOfOursExists) {
  int files = 0;
  const fs::path top = GOALPOST_SOURCE;
  for (const Include& i : all_includes(&files))
    if (i.quoted && kAllowed.contains(layer_of(i.header))) {
      EXPECT_TRUE(fs::exists(top / i.header) || fs::exists(top / "src" / i.header))
          << i.file << ":" << i.line << ": #include " << i.header;
    }
}

using Graph = std::map<std::string, Names>;  // of files, by what they include

// "a -> b -> a", or empty if there is no cycle.
std::string cycle_in(const Graph& graph) {
  std::set<std::string> done;
  std::vector<std::string> path;
  std::string cycle;
  const std::function<void(const std::string&)> visit = [&](const std::string& file) {
    if (!cycle.empty() || done.contains(file)) return;
    if (const auto begin = std::find(path.begin(), path.end(), file); begin != path.end()) {
      for (auto it = begin; it != path.end(); ++it) cycle += *it + " -> ";
      cycle += file;
      return;
    }
    path.push_back(file);
    if (const auto found = graph.find(file); found != graph.end())
      for (const std::string& next : found->second) visit(next);
    path.pop_back();
    done.insert(file);
  };
  for (const auto& [file, ignored] : graph) visit(file);
  return cycle;
}

// Of files: a header and the .cpp of its name are one.
TEST(Layers, NoIncludeCycleBetweenFiles) {
  const auto stem = [](std::string path) {
    if (path.starts_with("src/")) path = path.substr(4);
    return path.substr(0, path.rfind('.'));
  };
  int files = 0;
  Graph graph;
  for (const Include& i : all_includes(&files))
    if (i.quoted && kAllowed.contains(layer_of(i.header)) && stem(i.file) != stem(i.header))
      graph[stem(i.file)].insert(stem(i.header));
  EXPECT_GT(graph.size(), 100u);
  EXPECT_EQ(cycle_in(graph), "");
}

TEST(Layers, CyclesAreSeen) {
  EXPECT_EQ(cycle_in({{"a", {"b", "c"}}, {"b", {"c"}}, {"c", {}}}), "");
  EXPECT_EQ(cycle_in({{"a", {"b"}}, {"b", {"c"}}, {"c", {"b"}}}), "b -> c -> b");
}

std::string of(const std::string& file, const std::string& line) {
  std::istringstream text(line);
  const std::vector<Include> list = includes_of(file, text);
  return list.size() == 1 ? complaint(list[0]) : "not an include";
}

TEST(Layers, ForbiddenArrowsAreSeen) {
  EXPECT_EQ(of("src/core/rng.cpp", "#include \"autodiff/tape.h\""), "core must not know autodiff");
  EXPECT_EQ(of("autodiff/ops.h", "#  include \"nn/mlp.h\""), "autodiff must not know nn");
  EXPECT_EQ(of("nn/mlp.cpp", "#include \"envs/env.h\""), "nn must not know envs");
  EXPECT_EQ(of("envs/vector_env.cpp", "#include \"envs/classic/pendulum.h\""), "envs must not know environments");
  EXPECT_EQ(of("envs/classic/pendulum.cpp", "#include \"algos/dqn.h\""), "environments must not know algos");
  EXPECT_EQ(of("algos/her.cpp", "#include \"envs/classic/pendulum.h\""), "algos must not know environments");
  EXPECT_EQ(of("algos/her.cpp", "#include \"envs/registry.h\""), "algos must not know registry");
  EXPECT_EQ(of("algos/agent.h", "#include \"envs/drawable.h\""), "algos must not know envs/drawable.h");
  EXPECT_EQ(of("algos/dqn.cpp", "#include \"storage/toml.h\""), "algos must not know storage");
  EXPECT_EQ(of("src/storage/checkpoint.cpp", "#include \"nn/mlp.h\""), "storage must not know nn");
  EXPECT_EQ(of("src/storage/checkpoint.cpp", "#include \"train/trainer.h\""), "storage must not know train");
  EXPECT_EQ(of("src/train/trainer.cpp", "#include \"envs/classic/pendulum.h\""), "train must not know environments");
  EXPECT_EQ(of("src/render/video_recorder.cpp", "#include \"envs/mujoco/mujoco_env.h\""),
            "render must not know environments");
  EXPECT_EQ(of("nn/mlp.cpp", "#include \"mlp.h\""),
            "it names no layer; expected a path from the top folder or from src");
}

TEST(Layers, ForeignHeadersOutsideTheirFileAreSeen) {
  EXPECT_EQ(of("algos/dqn.cpp", "#include <hdf5.h>"), "this header belongs to src/storage/hdf5_ alone");
  EXPECT_EQ(of("src/train/trainer.cpp", "#include <toml++/toml.hpp>"),
            "this header belongs to src/storage/toml. alone");
  EXPECT_EQ(of("envs/mujoco/fetch.cpp", "#include <mujoco/mujoco.h>"),
            "this header belongs to envs/mujoco/mujoco_env. alone");
  EXPECT_EQ(of("envs/mujoco/fetch.cpp", "#include <btBulletDynamicsCommon.h>"),
            "this header belongs to envs/bullet/ alone");
  EXPECT_EQ(of("src/render/video_recorder.cpp", "#include <libavcodec/avcodec.h>"),
            "this header belongs to src/render/video_writer. alone");
  EXPECT_EQ(of("src/report/tables.cpp", "#include <CLI/CLI.hpp>"), "this header belongs to src/cli/ alone");
}

TEST(Layers, AllowedArrowsPass) {
  EXPECT_EQ(of("algos/her.cpp", "#include \"envs/spec.h\""), "");
  EXPECT_EQ(of("envs/registry.cpp", "#include \"envs/classic/pendulum.h\""), "");
  EXPECT_EQ(of("src/run/experiment.cpp", "#include \"storage/toml.h\""), "");
  EXPECT_EQ(of("src/storage/hdf5_file.cpp", "#include <hdf5.h>"), "");
  EXPECT_EQ(of("src/render/renderer.cpp", "#include \"envs/mujoco/mujoco_env.h\""), "");
  EXPECT_EQ(of("nn/mlp.cpp", "#include <vector>"), "");
}

}  // namespace
