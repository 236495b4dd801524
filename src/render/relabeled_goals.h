// An image of goals: those that were pursued, and those that HER puts in their place.
#pragma once

#include "algos/her.h"
#include "core/rng.h"
#include "render/video_recorder.h"

namespace goalpost {

/// The world at the start of an episode, the goals that were pursued in some, and those that HER puts in their place in
/// a batch of their transitions. @param stop as of VideoRecorder @throws UsageError if
/// the environment is not Drawable (envs/drawable.h)
Scene relabeled_scene(VectorEnv& env, const ActionSource& source, int episodes, int batch_size, const HerConfig& her,
                      Rng rng, const VideoRecorder::Stop& stop);

}  // namespace goalpost
