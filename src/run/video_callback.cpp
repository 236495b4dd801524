#include "run/video_callback.h"

#include <fmt/format.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "envs/drawable.h"
#include "storage/run_directory.h"

namespace goalpost {

VideoCallback::VideoCallback(const EnvFactory& make_env, Agent& agent, std::int64_t every, Rng rng,
                             std::function<bool()> stop)
    : agent_(agent),
      every_(every),
      rng_(rng),
      stop_(std::move(stop)),
      env_(make_env, 1, rng),
      recorder_(env_.spec(), {}, 1) {
  if (const std::string problem = drawing_problem(env_.lane(0)); !problem.empty())
    throw UsageError(fmt::format("train.video_every = {}, but {}; expected 0", every, problem));
}

void VideoCallback::record_in(const std::filesystem::path& run_directory, std::int64_t begin) {
  directory_ = run_directory / kVideos;
  std::filesystem::create_directories(directory_);
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    std::int64_t step = -1;
    if (entry.path().extension() == ".mp4" &&
        std::sscanf(entry.path().filename().c_str(), "step_%" SCNd64 ".mp4", &step) == 1 && step <= begin)
      last_ = std::max(last_, step);
  }
}

void VideoCallback::on_evaluation(const TrainProgress& p, const Evaluation&, const Metrics&) {
  if (last_ >= 0 && p.step / every_ == last_ / every_) return;
  last_ = p.step;
  recorder_.note = fmt::format("after {} steps of training", p.step);
  env_.reset(rng_);
  try {
    record_episode(recorder_, agent_, env_, directory_ / fmt::format("step_{}.mp4", p.step), stop_);
  } catch (const std::exception& e) {  // e.g. a full disk; the run continues without the video
    print_error(fmt::format("goalpost: {}", e.what()));
  }
}

}  // namespace goalpost
