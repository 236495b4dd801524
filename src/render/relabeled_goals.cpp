#include "render/relabeled_goals.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "algos/replay_buffer.h"
#include "envs/drawable.h"

namespace goalpost {

Scene relabeled_scene(VectorEnv& env, const ActionSource& source, int episodes, int batch_size, const HerConfig& her,
                      Rng rng, const VideoRecorder::Stop& stop) {
  const EnvSpec& spec = env.spec();
  Scene scene;
  const Drawable& world = drawing_of(env.lane(0));
  world.draw(scene);
  std::vector<Vector> pursued;
  const std::int64_t most = std::int64_t(episodes) * spec.max_steps;
  ReplayBuffer replay(spec, {.buffer_size = static_cast<int>(std::min<std::int64_t>(most, 1'000'000'000))}, 1);
  for (EpisodeCounts so_far; !stop(so_far) && so_far.episodes < episodes;) {
    const StepBatch* step = source.step(env);
    if (step == nullptr) break;
    replay.add(*step);
    world.draw_goal(step->after.achieved.col(0), GoalMark::trail, scene);
    if (step->ended(0)) {
      pursued.emplace_back(step->before.desired.col(0));
      world.draw_goal(pursued.back(), GoalMark::pursued, scene);
    }
    so_far.episodes += step->ended(0);
    so_far.successes += step->ended(0) && step->success[0] != 0;
    ++so_far.steps;
  }
  if (replay.finished_size() == 0) return scene;
  Batch batch(spec, batch_size, 1);  // its goals are of interest alone
  HerSampler(replay, spec.goal, her).sample(rng, batch);
  for (Index i = 0; i < batch.size(); ++i) {
    const Vector goal = batch.s.col(i).tail(spec.goal.dim);
    if (std::find(pursued.begin(), pursued.end(), goal) == pursued.end())
      world.draw_goal(goal, GoalMark::relabeled, scene);
  }
  return scene;
}

}  // namespace goalpost
