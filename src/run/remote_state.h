// The state of workers in other processes of the job, for checkpoints: rank 0 writes one file, whatever the number of
// processes.
#pragma once

#include "core/communicator.h"
#include "core/state_hash.h"

namespace goalpost {

/// In rank 0: visits what `rank` sends, under the names that it has there. @param memory with the replay buffers
void visit_remote_state(Communicator& processes, int rank, StateVisitor& v, bool memory);
/// In rank 0: no more is asked for, until the next checkpoint.
void end_remote_visits(Communicator& processes);
/// In another rank: sends its state as often as rank 0 asks for it, until that ends.
void serve_state(Communicator& processes, const std::function<void(StateVisitor& v, bool memory)>& visit);

}  // namespace goalpost
