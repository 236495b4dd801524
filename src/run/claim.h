// Claims: which process works at a run, on any machine that shares its directory, also on file systems without locks.
//
//   seed_1.claim_0   beside the run directory seed_1, made by whoever takes the run: a file that did not exist. It
//                    names the process; its time is that of the process's last sign of life.
//   seed_1.claim_1   made by whoever takes the run over from a process that is no more; the highest number counts
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "storage/process_id.h"

namespace goalpost {

inline constexpr double kBeatSeconds = 10;  ///< between signs of life
inline constexpr double kSilentSeconds =
    120;  ///< without one, after which a process of another machine counts as ended

/// Whose the newest claim of a run is.
struct ClaimHolder {
  ProcessId process;
  std::int64_t since;  ///< seconds since 1970, by the holder's clock
  std::int64_t done;   ///< how far the run has come, in transitions or episodes; -1: unknown
  std::int64_t beat;   ///< the time of its last sign of life, in ns, by the file system's clock
  std::filesystem::path file;

  /// "process 17 on node3"
  std::string text() const;
};
/// None if nobody holds the run. @throws std::runtime_error if the directory cannot be read
std::optional<ClaimHolder> holder_of(const std::filesystem::path& run);

/// Tells which holders are no more. A process of this machine is asked for; one of another machine is no more if it
/// gives no sign of life while this object watches for kSilentSeconds, whatever the clocks say, or if at the first look
/// it has given none for ten minutes of the file system's time.
class ClaimWatch {
 public:
  bool is_over(const ClaimHolder& holder);

 private:
  struct Seen {
    std::int64_t beat;
    std::chrono::steady_clock::time_point since;
  };
  std::map<std::filesystem::path, Seen> seen_;
};

/// A run that this process works at, until the object ends.
class Claim {
 public:
  /// None if another process holds the run, or was faster. The run's parent directory is made.
  /// @throws std::runtime_error if the claim cannot be written
  static std::optional<Claim> take(const std::filesystem::path& run, ClaimWatch& watch);
  ~Claim();
  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&& other) noexcept;

  /// Gives a sign of life. False if the run was taken over: this process was silent for too long.
  /// @param done as ClaimHolder's
  bool beat(std::int64_t done = -1) const;

 private:
  Claim(std::filesystem::path run, int number, std::size_t head) : run_(std::move(run)), number_(number), head_(head) {}
  std::filesystem::path run_;  // empty: moved from
  int number_ = 0;
  std::size_t head_ = 0;  // bytes of the file before what changes
};

}  // namespace goalpost
