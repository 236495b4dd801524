#include "envs/registry.h"

#include "core/names.h"
#include "envs/classic/bit_flip.h"
#include "envs/classic/pendulum.h"
#include "envs/classic/point_reach.h"

namespace goalpost {
namespace {

struct NoConfig {};
constexpr auto fields(const NoConfig*) { return std::tuple{}; }

template <std::unique_ptr<Env> (*make)()>
constexpr EnvEntry entry(std::string_view name, std::string_view doc) {
  return {name, doc, [] { return std::unique_ptr<Settings>(new SettingsOf<NoConfig>); },
          [](const Settings&) { return EnvFactory(make); }};
}

template <class Config, std::unique_ptr<Env> (*make)(const Config&)>
constexpr EnvEntry entry(std::string_view name, std::string_view doc) {
  return {name, doc, [] { return std::unique_ptr<Settings>(new SettingsOf<Config>); },
          [](const Settings& settings) {
            return EnvFactory([config = settings_as<Config>(settings)] { return make(config); });
          }};
}

constexpr EnvEntry kEnvironments[] = {
    entry<BitFlipConfig, make_bit_flip>("BitFlip-v0", "n bits to be flipped into a goal; discrete, goal-conditioned"),
    entry<make_pendulum>("Pendulum-v1", "swing up and hold a rod; continuous"),
    entry<make_point_reach>("PointReach-v0", "push a mass in the plane to a goal; continuous, goal-conditioned"),
};

}  // namespace

std::span<const EnvEntry> environments() { return kEnvironments; }

const EnvEntry& find_environment(std::string_view name) {
  return find_by_name(environments(), name, "environment", "goalpost list envs");
}

}  // namespace goalpost
