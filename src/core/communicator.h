// The processes that mpirun has started to compute one run together; without it, this one.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace goalpost {

/// The processes of a job, numbered from 0. All of them call the same functions in the same order, from one thread.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const { return 0; }
  virtual int ranks() const { return 1; }
  virtual int ranks_here() const { return 1; }  ///< of this machine: they share its memory
  /// `all` becomes the bytes of every rank, one part after the other. @param sizes [ranks] bytes of each part
  virtual void all_gather(std::span<const std::byte> mine, std::span<const std::size_t> sizes,
                          std::span<std::byte> all);
  /// Rank r gets the r-th part of every rank's `out`: they become the parts of its `in`, in the order of the ranks.
  /// @param out_sizes, in_sizes [ranks] bytes of each part
  virtual void all_to_all(std::span<const std::byte> out, std::span<const std::size_t> out_sizes,
                          std::span<std::byte> in, std::span<const std::size_t> in_sizes);
  virtual void send(int to, std::span<const std::byte> bytes);
  virtual void receive(int from, std::span<std::byte> bytes);
  /// Ends every process of the job. Call it after a failure of which the others do not know.
  [[noreturn]] virtual void abort(int status);
};

/// The job that this process belongs to: it alone, unless join_job has found another.
Communicator& job();
void set_job(Communicator& processes);  ///< of join_job, and of tests
/// Joins the job of mpirun, if it has started this process with others; call it once, before job(). It is left when the
/// program ends. @throws UsageError if this build has no MPI, or another one
void join_job();
/// How many processes the launcher has started, as it tells each of them; 1 without one that is known. A process that
/// one of them starts is none of them: it has kNotLaunched in its environment.
int launched_processes();
inline constexpr char kNotLaunched[] = "GOALPOST_NOT_LAUNCHED";

/// The texts of all processes of the job, in the order of their ranks.
std::vector<std::string> gather_texts(const std::string& mine);
/// Whether it is true in every process of the job.
bool everywhere(bool mine);

/// Another process of the job has failed in together(), and says why.
struct OtherRankFailed {
  bool usage;  ///< by UsageError
};
/// f() in every process of the job; f calls none of these functions itself. If it throws in some, it does so in all of
/// them: the lowest of these ranks throws its exception, the others OtherRankFailed.
void together(const std::function<void()>& f);
/// Whether the exception that has ended the program was thrown by together(): the other processes end, too.
bool job_fails_together();

}  // namespace goalpost
