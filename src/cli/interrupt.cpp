#include "cli/interrupt.h"

#include <signal.h>
#include <sysexits.h>
#include <unistd.h>

#include <atomic>

namespace goalpost {
namespace {

constexpr int kByPerson = 130;  // as a shell has it: 128 + SIGINT
constexpr int kInterrupts[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};

std::atomic<int> first_signal = 0;  // the one global: a signal has no other way to say something
std::atomic<bool> asked_by_person = false;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void on_signal(int signal) {
  if (signal == SIGINT && asked_by_person.exchange(true)) _exit(kByPerson);
  int none = 0;
  first_signal.compare_exchange_strong(none, signal);
}

void set_action(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void prepare_signals() {
  set_action(SIGCHLD, SIG_DFL);
  set_action(SIGXFSZ, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  for (const int signal : kInterrupts) sigaddset(&signals, signal);
  sigprocmask(SIG_UNBLOCK, &signals, nullptr);
}

void catch_interrupts() {
  for (const int signal : kInterrupts) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) set_action(signal, on_signal);
  }
}

void outlive_readers() { set_action(SIGPIPE, SIG_IGN); }

bool interrupted() { return first_signal.load(std::memory_order_relaxed) != 0; }

int interrupt_status() { return first_signal.load(std::memory_order_relaxed) == SIGINT ? kByPerson : EX_TEMPFAIL; }

}  // namespace goalpost
