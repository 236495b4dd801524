// The build and machine of a run: what determines its bits besides its settings.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "core/config.h"
#include "storage/config_text.h"
#include "storage/toml.h"

namespace goalpost {

/// Written into config.toml, checkpoints and policies; replaced by the program's own when a configuration is read.
/// "unknown" in files of earlier versions.
struct BuildInfo {
  std::string revision = kUnknown, compiler = kUnknown, flags = kUnknown, instructions = kUnknown, cpu = kUnknown,
              features = kUnknown, kernels = kUnknown, libraries = kUnknown;
  std::string resumed = "";
  std::string inputs = "";
  std::string identity = kUnknown;

  static constexpr char kUnknown[] = "unknown";

  static BuildInfo current();
  /// The table [build] of a configuration.
  static BuildInfo recorded(const TomlValues& values);
};
constexpr auto fields(const BuildInfo*) {
  return std::tuple{
      field("revision", &BuildInfo::revision,
            "of the source code; with -dirty and a hash of the changes if files were changed"),
      field("compiler", &BuildInfo::compiler, "and its version"),
      field("flags", &BuildInfo::flags, "kind of build and requested instruction set"),
      field("instructions", &BuildInfo::instructions, "instruction sets that the program was compiled for"),
      field("cpu", &BuildInfo::cpu, "model of the processor"),
      field("features", &BuildInfo::features, "instruction sets of the processor on which results may depend"),
      field("kernels", &BuildInfo::kernels, "matrix kernels; see GOALPOST_KERNELS"),
      field("libraries", &BuildInfo::libraries, "versions that may affect results"),
      field("resumed", &BuildInfo::resumed,
            "why the run cannot be repeated to the same bits: resumed with another build, or without its replay "
            "buffer; empty: it can"),
      field(
          "inputs", &BuildInfo::inputs,
          "digests of the run's input files, by setting: agent.replay.dataset and the policies of earlier runs; empty: "
          "none, or unknown"),
      field("identity", &BuildInfo::identity, "hash of the fields above and of every setting that affects results"),
  };
}
static_assert(complete<BuildInfo>);

/// The fields of a build, by name.
std::vector<FieldText> fields_of(const BuildInfo& build);

/// The differences of two builds. A field that is unknown in one of them is not compared; inputs are compared only if
/// both have some, because a file that only one of them has is a difference of their settings.
struct BuildDifference {
  std::string what, a, b;  ///< "kernels", "AVX2", "Eigen"
};
std::vector<BuildDifference> build_differences(const BuildInfo& a, const BuildInfo& b);
/// The unknown fields of a build, "revision, kernels"; empty if all are known.
std::string unknown_of(const BuildInfo& build);

}  // namespace goalpost
