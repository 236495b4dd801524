// Tests of the program as users run it: from a shell, in a directory of its own.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "support/temporary_directory.h"

namespace goalpost {

// Settings of bit_flip_her with which a thousand transitions take a tenth of a second.
inline constexpr char kSmallRun[] =
    " --set env.bits=4 --set train.num_envs=4 --set agent.dqn.q.hidden=[16] --set train.eval_episodes=5 --set "
    "train.final_eval_episodes=5 --set train.stop_success=0 --set train.total_episodes=0 ";

class ProgramTest : public testing::Test {
 protected:
  struct Outcome {
    int status;
    std::string out, err;
  };
  // The exit status, or the negative number of the signal that ended it.
  static int status_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }

  // @param rest of the shell's command line: redirections
  Outcome run(const std::string& arguments, const std::string& rest = "> out 2> err") {
    for (const char* file : {"out", "err"}) set_content(here_ / file, "");
    const std::string command =
        "cd '" + here_.path().string() + "' && '" GOALPOST_PROGRAM "' " + arguments + " " + rest;
    const int status = std::system(("exec bash -c \"" + command + "\"").c_str());
    return {status_of(status), content(here_ / "out"), content(here_ / "err")};
  }
  // The program beside this one, in a session of its own.
  pid_t start(const std::string& arguments, const std::string& rest = "> out 2> err") {
    const std::string command =
        "cd '" + here_.path().string() + "' && exec '" GOALPOST_PROGRAM "' " + arguments + " " + rest;
    const pid_t child = fork();
    if (child == 0) {
      setsid();
      execl("/bin/bash", "bash", "-c", command.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    return child;
  }
  int wait_for(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return status_of(status);
  }
  static bool wait_until(const std::function<bool()>& f) {
    for (int i = 0; i < 6000 && !f(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return f();
  }
  std::string errors() const { return content(here_ / "err"); }
  void expect_refusal(const std::string& arguments, const std::string& sentence) {
    const Outcome o = run(arguments);
    EXPECT_EQ(o.status, 2) << arguments << "\n" << o.err;
    EXPECT_NE(o.err.find(sentence), o.err.npos) << arguments << "\n" << o.err;
  }

  TemporaryDirectory here_;
};

}  // namespace goalpost
