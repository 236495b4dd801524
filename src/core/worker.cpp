#include "core/worker.h"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "core/check.h"
#include "core/thread_pool.h"

namespace goalpost {
namespace {

thread_local Worker* worker_of_thread = nullptr;

struct TeamStopped {};  // thrown in workers that wait for one that does not come

int lowest_bit(int w) { return w & -w; }

// All additions of the tree, in an order in which they may be done.
template <class F>
void for_tree(int workers, F f) {
  for (int bit = 1; bit < workers; bit *= 2)
    for (int w = bit; w < workers; w += 2 * bit) f(w - bit, w);
}

}  // namespace

Worker* this_worker() { return worker_of_thread; }

int Worker::count() const { return team_.workers_; }
void Worker::wait() {
  team_.meet(*this, [&] {
    const std::byte nothing{};
    std::vector<std::byte> all(static_cast<std::size_t>(team_.processes_.ranks()));
    team_.processes_.all_gather(std::span(&nothing, 1), std::vector<std::size_t>(all.size(), 1), all);
  });
}

void Worker::gather_bytes(std::span<const std::byte> mine, std::span<std::byte> all) {
  mine_ = mine;
  WorkerTeam& team = team_;
  team.meet(*this, [&] {
    std::vector<std::byte>& gathered = team.gathered_;
    gathered.resize(all.size());
    const std::size_t begin = static_cast<std::size_t>(team.first()) * mine.size();
    for (std::size_t k = 0; k < team.hosted_.size(); ++k) {
      const std::span<const std::byte> part = team.hosted_[k].mine_;
      GP_CHECK(part.size() == mine.size(), "Worker::gather: ", part.size(), " and ", mine.size(),
               " bytes; expected equally many in every worker");
      std::copy(part.begin(), part.end(), gathered.begin() + static_cast<std::ptrdiff_t>(begin + k * part.size()));
    }
    if (team.processes_.ranks() == 1) return;
    std::vector<std::size_t>& sizes = team.out_sizes_;
    sizes.clear();
    for (int r = 0; r < team.processes_.ranks(); ++r)
      sizes.push_back(static_cast<std::size_t>(team.first_of(r + 1) - team.first_of(r)) * mine.size());
    const std::vector<std::byte> own(
        gathered.begin() + static_cast<std::ptrdiff_t>(begin),
        gathered.begin() + static_cast<std::ptrdiff_t>(begin + team.hosted_.size() * mine.size()));
    team.processes_.all_gather(own, sizes, gathered);
  });
  std::copy(team.gathered_.begin(), team.gathered_.end(), all.begin());  // the next one waits for all to be here again
}

std::vector<std::string> Worker::gather_texts(const std::string& mine) {
  const std::uint64_t size = mine.size();
  std::vector<std::uint64_t> sizes;
  gather(std::span(&size, 1), sizes);
  std::string padded = mine;
  padded.resize(*std::max_element(sizes.begin(), sizes.end()));
  std::vector<char> all;
  gather(std::span<const char>(padded), all);
  std::vector<std::string> texts;
  for (std::size_t w = 0; w < sizes.size(); ++w) texts.emplace_back(all.data() + w * padded.size(), sizes[w]);
  return texts;
}

void Worker::sum(std::span<const std::span<Scalar>> parts) {
  parts_ = parts;
  team_.meet(*this, [&] { team_.begin_sum(); });
  team_.add_hosted(*this);
  team_.meet(*this, [&] { team_.add_ranks(); });
  const Scalar* from = team_.total_.data();
  for (const std::span<Scalar> part : parts) {
    std::copy_n(from, part.size(), part.begin());
    from += part.size();
  }
}

void Worker::sum(std::span<double> numbers) {
  gather(std::span<const double>(numbers), doubles_);
  const std::size_t n = numbers.size();
  for_tree(count(), [&](int to, int from) {
    for (std::size_t i = 0; i < n; ++i)
      doubles_[static_cast<std::size_t>(to) * n + i] += doubles_[static_cast<std::size_t>(from) * n + i];
  });
  std::copy_n(doubles_.begin(), n, numbers.begin());
}

WorkerTeam::WorkerTeam(int workers, int threads, Communicator& processes)
    : processes_(processes), workers_(workers), slots_(threads) {
  const int ranks = processes.ranks();
  GP_CHECK(workers >= ranks, "WorkerTeam: ", workers, " workers, ", ranks,
           " processes; expected at least a worker for each");
  GP_CHECK(workers > 0 && threads > 0, "WorkerTeam: ", workers, " workers, ", threads,
           " threads; expected positive numbers");
  for (int w = first(); w < first_of(processes.rank() + 1); ++w) hosted_.push_back(Worker(*this, w, w - first()));
  // A process adds a worker to another one if it hosts both, and all that has been added to them before.
  for (int r = 0; r < ranks; ++r) {
    const int begin = first_of(r), end = first_of(r + 1);
    std::vector<int>& left = left_.emplace_back();
    for (int w = begin; w < end; ++w) {
      const int bit = lowest_bit(w);
      if (w == 0 || w - bit < begin || std::min(w + bit, workers) > end) left.push_back(w);
    }
  }
  for_tree(workers, [&](int to, int from) {
    const auto is_left = [&](const std::vector<int>& left) {
      return std::find(left.begin(), left.end(), from) != left.end();
    };
    if (std::any_of(left_.begin(), left_.end(), is_left))
      other_additions_.push_back({to, from});
    else if (from >= first() && from < first() + hosted())
      own_additions_.push_back({to, from});
  });
}

void WorkerTeam::take_slot(std::unique_lock<std::mutex>& lock) {
  slot_.wait(lock, [&] { return slots_ > 0; });
  --slots_;
}

void WorkerTeam::give_slot() {
  ++slots_;
  slot_.notify_one();
}

template <class F>
void WorkerTeam::meet(const Worker& worker, F last) {
  if (hosted() == 1) return last();
  std::unique_lock lock(mutex_);
  const std::uint64_t meeting = meetings_;
  const bool leads = worker.place_ == 0;
  if (++arrived_ == hosted()) arrival_.notify_one();
  give_slot();
  if (leads)
    arrival_.wait(lock, [&] { return stopped_ || arrived_ == hosted(); });
  else
    departure_.wait(lock, [&] { return stopped_ || meetings_ != meeting; });
  take_slot(lock);
  if (leads ? arrived_ < hosted() : meetings_ == meeting) throw TeamStopped();
  if (!leads) return;
  lock.unlock();
  last();
  lock.lock();
  arrived_ = 0;
  ++meetings_;
  departure_.notify_all();
}

void WorkerTeam::run_one(Worker& worker, const std::function<void(Worker&)>& f) {
  const WithoutComputeThreads serial;
  worker_of_thread = &worker;
  {
    std::unique_lock lock(mutex_);
    take_slot(lock);
  }
  try {
    f(worker);
  } catch (const TeamStopped&) {
    waits_in_vain_ = true;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (error_ == nullptr) error_ = std::current_exception();
  }
  worker_of_thread = nullptr;
  const std::lock_guard lock(mutex_);
  stop();
  give_slot();
}

// Who still waits for one that has ended, waits in vain.
void WorkerTeam::stop() {
  stopped_ = true;
  arrival_.notify_all();
  departure_.notify_all();
}

void WorkerTeam::run(const std::function<void(Worker&)>& f) {
  if (workers_ == 1) return f(hosted_.front());
  if (hosted() == 1) {
    worker_of_thread = &hosted_.front();
    try {
      f(hosted_.front());
    } catch (...) {
      worker_of_thread = nullptr;
      throw;
    }
    worker_of_thread = nullptr;
    return;
  }
  arrived_ = 0;
  stopped_ = false;
  waits_in_vain_ = false;
  std::vector<std::jthread> threads;
  bool all_started = true;
  try {
    for (std::size_t k = 1; k < hosted_.size(); ++k) threads.emplace_back([&, k] { run_one(hosted_[k], f); });
  } catch (const std::system_error& e) {
    all_started = false;
    const std::lock_guard lock(mutex_);
    stop();
    error_ = std::make_exception_ptr(std::runtime_error(detail::concatenate(
        "thread ", threads.size() + 1, " of ", hosted_.size(), " workers cannot be started (", e.what(), ")")));
  }
  if (all_started) run_one(hosted_.front(), f);
  threads.clear();  // joins them
  if (error_ != nullptr) std::rethrow_exception(std::exchange(error_, nullptr));
  if (waits_in_vain_) throw std::logic_error("WorkerTeam: a worker ended while another one waited for it");
}

std::ptrdiff_t WorkerTeam::begin_of_slice(int rank) const { return size_ * rank / processes_.ranks(); }

void WorkerTeam::begin_sum() {
  std::ptrdiff_t size = 0;
  for (const std::span<Scalar> part : hosted_.front().parts_) size += std::ssize(part);
  size_ = size;
  const std::vector<int>& left = left_[static_cast<std::size_t>(processes_.rank())];
  sums_.resize(left.size());
  for (Matrix& sum : sums_)
    if (sum.rows() < size) sum.resize(size, 1);
  if (std::ssize(total_) < size) total_.resize(static_cast<std::size_t>(size));
}

void WorkerTeam::add_hosted(Worker& worker) {
  constexpr std::ptrdiff_t kSlice = 1024;  // numbers that stay in the first-level cache
  if (worker.scratch_.size() == 0) worker.scratch_.resize(kSlice, hosted());
  Matrix& scratch = worker.scratch_;
  const std::ptrdiff_t begin = size_ * worker.place_ / hosted(), end = size_ * (worker.place_ + 1) / hosted();
  std::ptrdiff_t part_begin = 0;
  for (std::size_t p = 0; p < worker.parts_.size(); ++p) {
    const std::ptrdiff_t part_end = part_begin + std::ssize(worker.parts_[p]);
    const std::ptrdiff_t last = std::min(end, part_end);
    for (std::ptrdiff_t i = std::max(begin, part_begin); i < last; i += kSlice) {
      const std::ptrdiff_t n = std::min(kSlice, last - i);
      for (const Worker& other : hosted_)
        std::copy_n(other.parts_[p].data() + (i - part_begin), n, scratch.col(other.place_).data());
      for (const Addition& a : own_additions_)
        scratch.col(a.to - first()).head(n) += scratch.col(a.from - first()).head(n);
      const std::vector<int>& left = left_[static_cast<std::size_t>(processes_.rank())];
      for (std::size_t k = 0; k < left.size(); ++k)
        sums_[k].col(0).segment(i, n) = scratch.col(left[k] - first()).head(n);
    }
    part_begin = part_end;
  }
}

// Every process adds a slice of the numbers for all of them, so that nothing is added inside of MPI.
void WorkerTeam::add_ranks() {
  const int ranks = processes_.ranks();
  if (ranks == 1) {
    std::copy_n(sums_.front().data(), size_, total_.begin());
    return;
  }
  const auto slice = [&](int r) { return begin_of_slice(r + 1) - begin_of_slice(r); };
  const auto bytes = [](std::ptrdiff_t numbers) { return static_cast<std::size_t>(numbers) * sizeof(Scalar); };
  const std::ptrdiff_t mine = slice(processes_.rank());
  std::ptrdiff_t all_left = 0;
  out_sizes_.clear();
  in_sizes_.clear();
  for (int r = 0; r < ranks; ++r) {
    out_sizes_.push_back(bytes(slice(r) * std::ssize(sums_)));
    in_sizes_.push_back(bytes(mine * std::ssize(left_[static_cast<std::size_t>(r)])));
    all_left += std::ssize(left_[static_cast<std::size_t>(r)]);
  }
  out_.resize(static_cast<std::size_t>(size_ * std::ssize(sums_)));
  in_.resize(static_cast<std::size_t>(mine * all_left));
  Scalar* to = out_.data();
  for (int r = 0; r < ranks; ++r)
    for (const Matrix& sum : sums_) to = std::copy_n(sum.data() + begin_of_slice(r), slice(r), to);
  processes_.all_to_all(std::as_bytes(std::span(out_)), out_sizes_, std::as_writable_bytes(std::span(in_)), in_sizes_);

  const auto place_of = [&](int worker) {  // of what was left of it, among those of all processes
    std::ptrdiff_t place = 0;
    for (const std::vector<int>& left : left_)
      for (const int w : left) {
        if (w == worker) return place;
        ++place;
      }
    throw std::logic_error("WorkerTeam: a sum is missing");
  };
  using Numbers = Eigen::Map<Eigen::Array<Scalar, Eigen::Dynamic, 1>>;
  for (const Addition& a : other_additions_)
    Numbers(in_.data() + place_of(a.to) * mine, mine) += Numbers(in_.data() + place_of(a.from) * mine, mine);
  in_sizes_.clear();
  for (int r = 0; r < ranks; ++r) in_sizes_.push_back(bytes(slice(r)));
  processes_.all_gather(std::as_bytes(std::span(in_.data(), static_cast<std::size_t>(mine))), in_sizes_,
                        std::as_writable_bytes(std::span(total_.data(), static_cast<std::size_t>(size_))));
}

}  // namespace goalpost
