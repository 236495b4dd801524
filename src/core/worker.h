// Workers that train one policy together, as the authors' HER does with MPI: each has its environments, its replay
// buffer and its random streams, all take the same steps, and every gradient is the sum over all of them. A process
// hosts one or several workers, each in a thread of its own.
//
// Sums are taken in a fixed binary tree over the workers, elementwise: worker w is added to worker w - b, b the lowest
// set bit of w, for b = 1, 2, 4, ... So the bits depend on the number of workers only, not on processes and threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/communicator.h"
#include "core/matrix.h"

namespace goalpost {

class WorkerTeam;

/// One worker, as its own thread sees it. All workers of a run call the same of these functions in the same order; each
/// of them returns when all have called it.
class Worker {
 public:
  int index() const { return index_; }  ///< 0, ..., count() - 1
  int count() const;
  void wait();  ///< until all workers are here
  /// `all` becomes the values of all workers, in their order. @param mine equally many in every worker
  template <class T>
  void gather(std::span<const T> mine, std::vector<T>& all) {
    all.resize(mine.size() * static_cast<std::size_t>(count()));
    gather_bytes(std::as_bytes(mine), std::as_writable_bytes(std::span(all)));
  }
  /// The texts of all workers, in their order.
  std::vector<std::string> gather_texts(const std::string& mine);
  /// Every number becomes its sum over the workers. @param parts the same sizes in every worker. @alloc none after the
  /// first call with these sizes
  void sum(std::span<const std::span<Scalar>> parts);
  void sum(std::span<double> numbers);

 private:
  friend class WorkerTeam;
  Worker(WorkerTeam& team, int index, int place) : team_(team), index_(index), place_(place) {}
  void gather_bytes(std::span<const std::byte> mine, std::span<std::byte> all);

  WorkerTeam& team_;
  int index_, place_;                // in the run, in this process
  std::span<const std::byte> mine_;  // of a gathering that is under way
  std::span<const std::span<Scalar>> parts_;
  Matrix scratch_;  // a slice of every hosted worker's numbers
  std::vector<double> doubles_;
};

/// The worker whose thread this is; null outside of WorkerTeam::run, and so where there is only one.
Worker* this_worker();

/// The workers of a run that this process hosts.
class WorkerTeam {
 public:
  /// @param workers of the run, at least as many as the job has processes
  /// @param threads how many of the hosted ones run at a time
  explicit WorkerTeam(int workers, int threads = 1, Communicator& processes = job());
  int workers() const { return workers_; }
  int first() const { return first_of(processes_.rank()); }  ///< index of the first hosted one
  int hosted() const { return static_cast<int>(hosted_.size()); }
  /// f(worker) for every hosted worker, each in a thread of its own, the first in the caller's. If f throws in one of
  /// them, those that wait for it end, too, and the exception is thrown. With one worker in the run: f, without
  /// this_worker().
  void run(const std::function<void(Worker&)>& f);

 private:
  friend class Worker;
  struct Addition {
    int to, from;  // workers
  };

  int first_of(int rank) const { return static_cast<int>(std::int64_t(workers_) * rank / processes_.ranks()); }
  // Waits for all hosted workers; then the first of them does `last` while the others wait.
  template <class F>
  void meet(const Worker& worker, F last);
  void run_one(Worker& worker, const std::function<void(Worker&)>& f);
  void take_slot(std::unique_lock<std::mutex>& lock);
  void give_slot();
  void stop();
  std::ptrdiff_t begin_of_slice(int rank) const;  // of size_
  void begin_sum();                               // sizes of buffers
  void add_hosted(Worker& worker);                // a slice of sums_
  void add_ranks();                               // total_ from the sums_ of all processes

  Communicator& processes_;
  int workers_;
  std::vector<Worker> hosted_;
  // The tree: what this process adds by itself, whose sums are left then, in each process, and what is added to them.
  std::vector<Addition> own_additions_, other_additions_;
  std::vector<std::vector<int>> left_;  // [ranks] workers

  std::mutex mutex_;
  std::condition_variable arrival_, departure_, slot_;
  int slots_;
  int arrived_ = 0;
  std::uint64_t meetings_ = 0;
  bool stopped_ = false;  // one of them has ended
  std::atomic<bool> waits_in_vain_ = false;
  std::exception_ptr error_;  // the first

  std::ptrdiff_t size_ = 0;       // numbers of a sum
  std::vector<Matrix> sums_;      // [left_[rank]] each [size_ x 1]
  std::vector<Scalar> total_;     // [size_]
  std::vector<Scalar> out_, in_;  // messages
  std::vector<std::size_t> out_sizes_, in_sizes_;
  std::vector<std::byte> gathered_;
};

}  // namespace goalpost
