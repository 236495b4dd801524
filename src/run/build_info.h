// With what a run was made: what determines its bits besides its settings.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "core/config.h"
#include "storage/config_text.h"
#include "storage/toml.h"

namespace goalpost {

/// Written into config.toml, checkpoints and
/// policies; replaced by the program's own when a configuration is read. "unknown" in files of earlier versions.
struct BuildInfo {
  std::string revision = kUnknown, compiler = kUnknown, flags = kUnknown, instructions = kUnknown, cpu = kUnknown,
              features = kUnknown, kernels = kUnknown, libraries = kUnknown;
  std::string resumed = "";
  std::string inputs = "";
  std::string identity = kUnknown;

  static constexpr char kUnknown[] = "unknown";

  static BuildInfo current();
  /// What the table [build] of a configuration says.
  static BuildInfo recorded(const TomlValues& values);
};
constexpr auto fields(const BuildInfo*) {
  return std::tuple{
      field("revision", &BuildInfo::revision, "of the source; ends in -dirty if files were changed"),
      field("compiler", &BuildInfo::compiler, "and its version"),
      field("flags", &BuildInfo::flags, "kind of build and instruction set asked for"),
      field("instructions", &BuildInfo::instructions, "instruction sets that the program was compiled for"),
      field("cpu", &BuildInfo::cpu, "model of the processor"),
      field("features", &BuildInfo::features, "instruction sets of the processor that results may depend on"),
      field("kernels", &BuildInfo::kernels, "that compute products; see GOALPOST_KERNELS"),
      field("libraries", &BuildInfo::libraries, "versions that may affect results"),
      field("resumed", &BuildInfo::resumed,
            "what keeps the run from being repeated: resumed with another build, or without its replay buffer; empty: "
            "nothing"),
      field(
          "inputs", &BuildInfo::inputs,
          "digests of the files that the run began with, by setting: agent.replay.dataset and the policies of earlier "
          "runs; empty: none, or not known"),
      field("identity", &BuildInfo::identity, "hash of all of this and of every setting that affects results"),
  };
}
static_assert(complete<BuildInfo>);

/// What a build knows of itself, by name.
std::vector<FieldText> fields_of(const BuildInfo& build);

/// In what two builds differ. What one of them does not know is not compared, and inputs only where both have some:
/// that one has a file which the other has not is a difference of their settings.
struct BuildDifference {
  std::string what, a, b;  ///< "kernels", "AVX2", "Eigen"
};
std::vector<BuildDifference> build_differences(const BuildInfo& a, const BuildInfo& b);
/// A note on what a build does not know, "revision, kernels"; empty if it knows everything.
std::string unknown_of(const BuildInfo& build);

}  // namespace goalpost
