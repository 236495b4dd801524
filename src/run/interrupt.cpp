#include "run/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace goalpost {
namespace {

std::atomic<bool> flag = false;  // the one global: a signal has no other way to say something
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void on_signal(int) {
  if (flag.exchange(true)) _exit(130);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return flag.load(std::memory_order_relaxed); }

}  // namespace goalpost
