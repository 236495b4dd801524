#include "run/interrupt.h"

#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <atomic>

namespace goalpost {
namespace {

constexpr int kByPerson = 130;  // as a shell has it: 128 + SIGINT

std::atomic<int> first_signal = 0;  // the one global: a signal has no other way to say something
std::atomic<bool> asked_by_person = false;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void on_signal(int signal) {
  if (signal == SIGINT && asked_by_person.exchange(true)) _exit(kByPerson);
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
}

void ignore(int signal) {
  struct sigaction action = {};
  action.sa_handler = SIG_IGN;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
  ignore(SIGXFSZ);
}

void outlive_readers() { ignore(SIGPIPE); }

bool interrupted() { return first_signal.load(std::memory_order_relaxed) != 0; }

int interrupt_status() { return first_signal.load(std::memory_order_relaxed) == SIGINT ? kByPerson : EX_TEMPFAIL; }

}  // namespace goalpost
