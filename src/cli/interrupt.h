#pragma once

namespace goalpost {

/// What every command needs of signals, whatever its parent process has set: children can be waited for (SIGCHLD has
/// its default action), the signals of catch_interrupts() are not blocked, and a write beyond a limit of file sizes
/// fails instead of ending the process (SIGXFSZ). Called once, at the start of the program.
void prepare_signals();
/// From here on SIGINT (Ctrl-C), SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU only set a flag, except for those that
/// the process was started to ignore (nohup). Only for work that asks interrupted(): other commands are ended by these
/// signals as any program is. A second SIGINT ends the process at once with status 130; the others may come again, as a
/// scheduler and a parent process may both send them.
void catch_interrupts();
/// From here on a write to a pipe that nobody reads fails instead of ending the process (SIGPIPE): for what outlives
/// whoever reads its output.
void outlive_readers();
/// Whether the flag is set. Long work asks often, saves what it has and returns.
bool interrupted();
/// The exit status of work that was interrupted: 130 after SIGINT; 75 (EX_TEMPFAIL of sysexits.h) after the others,
/// which come from a system and not from a person: started again, the work goes on.
int interrupt_status();

}  // namespace goalpost
