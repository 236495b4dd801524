#include "run/run_result.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/text.h"
#include "storage/file.h"
#include "storage/run_directory.h"

namespace goalpost {

nlohmann::ordered_json to_json(const std::vector<Evaluation::Category>& kinds) {
  nlohmann::ordered_json j = nlohmann::ordered_json::object();
  for (const Evaluation::Category& k : kinds)
    j[k.name] = {{"episodes", k.episodes}, {"success", k.success}};  // NaN is written as null
  return j;
}

std::vector<Evaluation::Category> categories_of(const nlohmann::ordered_json& evaluation) {
  std::vector<Evaluation::Category> kinds;
  if (!evaluation.contains("kinds")) return kinds;
  for (const auto& [name, kind] : evaluation.at("kinds").items())
    kinds.push_back({.name = name,
                     .episodes = kind.at("episodes"),
                     .success = kind.at("success").is_null() ? std::nan("") : kind.at("success").get<double>()});
  return kinds;
}

nlohmann::ordered_json to_json(const RunResult& r) {
  return {{"experiment", r.experiment},
          {"seed", r.seed},
          {"end", r.end},
          {"steps", r.progress.step},
          {"episodes", r.progress.episodes},
          {"updates", r.progress.updates},
          {"wall_seconds", r.progress.wall_seconds},
          {"final",
           {{"episodes", r.final.episodes},
            {"success", r.final.success},
            {"success_any", r.final.success_any},
            {"return", r.final.mean_return},
            {"length", r.final.length},
            {"kinds", to_json(r.final.categories)},
            {"unstable", r.final.unstable}}},
          {"revision", r.revision},
          {"cpu", r.cpu},
          {"identity", r.identity}};
}

std::optional<RunResult> read_result(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / kResultFile;
  if (!std::filesystem::exists(file)) return std::nullopt;
  expect_no_stream(file);
  try {
    std::ifstream in(file);
    const nlohmann::ordered_json j = nlohmann::ordered_json::parse(in);
    RunResult r;
    r.experiment = j.at("experiment");
    r.seed = j.at("seed");
    r.end = j.at("end");
    r.progress.step = j.at("steps");
    r.progress.episodes = j.at("episodes");
    r.progress.updates = j.at("updates");
    r.progress.wall_seconds = j.at("wall_seconds");
    const nlohmann::ordered_json& f = j.at("final");
    r.final = {.episodes = f.at("episodes"),
               .success = f.at("success"),
               .success_any = f.at("success_any"),
               .mean_return = f.at("return"),
               .length = f.at("length")};
    r.final.categories = categories_of(f);
    r.final.unstable = f.value("unstable", 0);
    r.revision = j.at("revision");
    r.cpu = j.at("cpu");
    r.identity = j.value("identity", "");
    return r;
  } catch (const nlohmann::json::exception& e) {
    throw std::runtime_error(fmt::format("{}: not a result of a run: {}", file.string(), json_problem(e.what())));
  }
}

}  // namespace goalpost
