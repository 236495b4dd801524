#include "envs/registry.h"

#include "core/names.h"
#include "envs/bullet/race_car.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"
#include "envs/mujoco/fetch.h"

namespace goalpost {
namespace {

struct NoConfig {};
constexpr auto fields(const NoConfig*) { return std::tuple{}; }

template <class Config>
class SettingsWithTask final : public EnvSettings {
 public:
  void visit(ConfigVisitor& visitor) override {
    visit_fields(value, visitor);
    visitor.enter({"task", "another task in the same world", "", 0, 0});
    visit_fields(task, visitor);
    visitor.leave();
  }
  std::unique_ptr<Settings> clone() const override { return std::make_unique<SettingsWithTask>(*this); }
  Config value;
};

template <class Config>
constexpr EnvEntry entry(std::string_view name, std::string_view doc, EnvFactory (*world)(const Settings&)) {
  return {name, doc, [] { return std::unique_ptr<EnvSettings>(new SettingsWithTask<Config>); }, world};
}

template <class Config>
const Config& config_of(const Settings& settings) {
  return dynamic_cast<const SettingsWithTask<Config>&>(settings).value;
}

template <std::unique_ptr<Env> (*make)()>
constexpr EnvEntry entry(std::string_view name, std::string_view doc) {
  return entry<NoConfig>(name, doc, [](const Settings&) { return EnvFactory(make); });
}

template <class Config, std::unique_ptr<Env> (*make)(const Config&)>
constexpr EnvEntry entry(std::string_view name, std::string_view doc) {
  return entry<Config>(name, doc, [](const Settings& settings) {
    return EnvFactory([config = config_of<Config>(settings)] { return make(config); });
  });
}

// The same with other default values than the configuration's own.
template <class Config, std::unique_ptr<Env> (*make)(const Config&), Config (*defaults)()>
constexpr EnvEntry entry(std::string_view name, std::string_view doc) {
  EnvEntry e = entry<Config, make>(name, doc);
  e.settings = [] {
    auto settings = std::make_unique<SettingsWithTask<Config>>();
    settings->value = defaults();
    return std::unique_ptr<EnvSettings>(std::move(settings));
  };
  return e;
}

template <class Config, EnvFactory (*factory)(const Config&)>
constexpr EnvEntry entry(std::string_view name, std::string_view doc) {
  return entry<Config>(name, doc, [](const Settings& settings) { return factory(config_of<Config>(settings)); });
}

template <FetchTask task, FetchReward reward = FetchReward::sparse, int version = 4>
constexpr EnvEntry fetch(std::string_view name, std::string_view doc) {
  return entry<FetchConfig, fetch_factory<task, reward, version>>(name, doc);
}

constexpr EnvEntry kEnvironments[] = {
    entry<BitFlipConfig, make_bit_flip>("BitFlip-v0", "n bits to be flipped into a goal; discrete, goal-conditioned"),
    fetch<FetchTask::pick_and_place>("FetchPickAndPlace-v4", "robot arm: lift a box to a goal; sparse reward"),
    fetch<FetchTask::pick_and_place, FetchReward::dense>("FetchPickAndPlaceDense-v4",
                                                         "FetchPickAndPlace-v4 with the reward -distance"),
    fetch<FetchTask::push>("FetchPush-v4", "robot arm: push a box to a goal; sparse reward"),
    fetch<FetchTask::push, FetchReward::dense>("FetchPushDense-v4", "FetchPush-v4 with the reward -distance"),
    fetch<FetchTask::reach, FetchReward::sparse, 3>("FetchReach-v3", "FetchReach-v4 with the faulty published reset"),
    fetch<FetchTask::reach>("FetchReach-v4", "robot arm: gripper to a goal; sparse reward"),
    fetch<FetchTask::reach, FetchReward::dense>("FetchReachDense-v4", "FetchReach-v4 with the reward -distance"),
    fetch<FetchTask::slide>("FetchSlide-v4", "robot arm: hit a puck so that it stops at a goal; sparse reward"),
    fetch<FetchTask::slide, FetchReward::dense>("FetchSlideDense-v4", "FetchSlide-v4 with the reward -distance"),
    entry<make_pendulum>("Pendulum-v1", "swing up and hold a rod; continuous"),
    entry<make_point_reach>("PointReach-v0", "push a mass in the plane to a goal; continuous, goal-conditioned"),
    entry<RaceCarConfig, make_race_car_v0>("RaceCar-v0", "car on a walled track, as published: learns to crash"),
    entry<RaceCarConfig, make_race_car_v1, race_car_v1>("RaceCar-v1",
                                                        "car on a walled track: drive to one of four goals"),
};

}  // namespace

EnvFactory EnvEntry::factory(const Settings& settings, Rng rng) const {
  return with_goal_task(world(settings), dynamic_cast<const EnvSettings&>(settings).task, rng.stream("task"));
}

std::span<const EnvEntry> environments() { return kEnvironments; }

const EnvEntry& find_environment(std::string_view name) {
  return find_by_name(environments(), name, "environment", "goalpost list envs");
}

}  // namespace goalpost
