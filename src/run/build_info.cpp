#include "run/build_info.h"

#include <fmt/format.h>
#include <gnu/libc-version.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <variant>

#include "autodiff/kernels.h"
#include "core/matrix.h"
#include "envs/registry.h"
#include "run/revision.h"
#include "storage/config_text.h"
#include "storage/hdf5_file.h"
#include "storage/toml.h"

namespace goalpost {
namespace {

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown";
}

std::string compiler() {
#ifdef __clang__
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return "g++ " __VERSION__;
#endif
}

// Every part of the program is compiled with the same flags.
std::string compiled_instructions() {
  std::vector<std::string> sets;
#if defined(__x86_64__)
  sets.push_back("x86-64");
#elif defined(__aarch64__)
  sets.push_back("aarch64");
#endif
#ifdef __AVX__
  sets.push_back("AVX");
#endif
#ifdef __AVX2__
  sets.push_back("AVX2");
#endif
#ifdef __FMA__
  sets.push_back("FMA");
#endif
#ifdef __AVX512F__
  sets.push_back("AVX-512");
#endif
#ifdef __AVX512BF16__
  sets.push_back("AVX512-BF16");
#endif
#ifdef __AMX_BF16__
  sets.push_back("AMX-BF16");
#endif
  return fmt::format("{}", fmt::join(sets, ", "));
}

// As far as the compiler, our kernels or the mathematical library choose by them.
std::string processor_features() {
  std::vector<std::string> sets;
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx")) sets.push_back("AVX");
  if (__builtin_cpu_supports("avx2")) sets.push_back("AVX2");
  if (__builtin_cpu_supports("fma")) sets.push_back("FMA");
  if (__builtin_cpu_supports("avx512f")) sets.push_back("AVX512F");
  if (__builtin_cpu_supports("avx512vl")) sets.push_back("AVX512VL");
  if (__builtin_cpu_supports("avx512bw")) sets.push_back("AVX512BW");
  if (__builtin_cpu_supports("avx512dq")) sets.push_back("AVX512DQ");
  if (__builtin_cpu_supports("avx512bf16")) sets.push_back("AVX512-BF16");
#ifndef __clang__
  if (__builtin_cpu_supports("amx-bf16")) sets.push_back("AMX-BF16");
#endif
#endif
  return sets.empty() ? "none" : fmt::format("{}", fmt::join(sets, ", "));
}

// "Eigen 3.4.0, MuJoCo 2.3.2" as versions by name.
std::map<std::string, std::string> versions_of(const std::string& libraries) {
  std::map<std::string, std::string> versions;
  for (std::size_t begin = 0; begin < libraries.size();) {
    const std::size_t end = std::min(libraries.find(", ", begin), libraries.size());
    const std::string one = libraries.substr(begin, end - begin);
    const std::size_t blank = one.rfind(' ');
    if (blank != one.npos) versions[one.substr(0, blank)] = one.substr(blank + 1);
    begin = end + 2;
  }
  return versions;
}

std::string without_quotes(const std::string& text) {
  return text.size() >= 2 && text.front() == '"' ? text.substr(1, text.size() - 2) : text;
}

}  // namespace

std::vector<FieldText> fields_of(const BuildInfo& build) {
  BuildInfo copy = build;
  return describe_fields([&](ConfigVisitor& v) { visit_fields(copy, v); });
}

BuildInfo BuildInfo::current() {
  BuildInfo build;
  build.revision = source_revision();
  build.compiler = goalpost::compiler();
  build.flags = GOALPOST_BUILD_FLAGS;
  build.instructions = compiled_instructions();
  build.cpu = cpu_model();
  build.features = processor_features();
  build.kernels = kernels::name_of_best();
  build.libraries = fmt::format("Eigen {}.{}.{}, {}, HDF5 {}, glibc {}", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION,
                                EIGEN_MINOR_VERSION, simulator_versions(), hdf5_version(), gnu_get_libc_version());
  return build;
}

BuildInfo BuildInfo::recorded(const TomlValues& values) {
  BuildInfo build;
  TomlValues own;
  for (const FieldText& f : fields_of(build))
    if (const TomlValues::Value* v = values.find("build." + f.path); v != nullptr)
      if (const auto* text = std::get_if<std::string>(&v->value)) own.put(f.path, *text);
  ConfigReader reader(own);
  visit_fields(build, reader);
  return build;
}

std::vector<BuildDifference> build_differences(const BuildInfo& a, const BuildInfo& b) {
  std::vector<BuildDifference> list;
  const std::vector<FieldText> fields_a = fields_of(a), fields_b = fields_of(b);
  for (std::size_t i = 0; i < fields_a.size(); ++i) {
    const std::string& what = fields_a[i].path;
    const std::string x = without_quotes(fields_a[i].value), y = without_quotes(fields_b[i].value);
    if (what == "identity" || x == y || x == BuildInfo::kUnknown || y == BuildInfo::kUnknown) continue;
    if (what == "inputs" && (x.empty() || y.empty())) continue;
    if (what != "libraries") {
      list.push_back({what, x, y});
      continue;
    }
    const std::map<std::string, std::string> versions = versions_of(y);
    for (const auto& [library, version] : versions_of(x))
      if (const auto other = versions.find(library); other != versions.end() && other->second != version)
        list.push_back({library, version, other->second});
  }
  return list;
}

std::string unknown_of(const BuildInfo& build) {
  std::string list;
  for (const FieldText& f : fields_of(build))
    if (f.path != "identity" && without_quotes(f.value) == BuildInfo::kUnknown)
      list += fmt::format("{}{}", list.empty() ? "" : ", ", f.path);
  return list;
}

}  // namespace goalpost
