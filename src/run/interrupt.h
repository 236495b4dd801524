#pragma once

namespace goalpost {

/// From here on SIGINT (Ctrl-C), SIGTERM, SIGHUP and SIGUSR1 only set a flag, except for those that the process was
/// started to ignore (nohup). A second SIGINT ends the process at once with status 130; the others may come again, as a
/// scheduler and a parent process may both send them. A write beyond a limit of file sizes fails instead of ending the
/// process (SIGXFSZ).
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
