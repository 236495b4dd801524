#!/usr/bin/env bash
# One run over several processes, as mpirun starts them: the same bits for any number of processes and threads, across stops
# and a killed process; errors are one sentence. Prints what GoogleTest would, so that the launcher counts it:
# ./goalpost test mpi
# Usage: mpi_test.sh PROGRAM [PART OF A NAME]
set -uo pipefail
program=$(readlink -f "$1")
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here" || exit
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

cat >run.toml <<'T'
name = "workers"
[train]
workers = 8
num_envs = 2
total_steps = 20_000
learning_starts = 1600
updates_per_step = 0.05
eval_every = 2000
eval_episodes = 30
final_eval_episodes = 50
checkpoint_every = 4000
[env]
name = "PointReach-v0"
[agent]
algorithm = "ddpg"
batch_size = 32
her.strategy = "future"
normalizer.enabled = true
ddpg.pi.hidden = [32, 32]
ddpg.q.hidden = [32, 32]
T

goalpost() { timeout 120 "$program" "$@"; }
# over PROCESSES ARGUMENTS...
over() {
  local processes=$1
  shift
  timeout 300 mpirun --oversubscribe -np "$processes" "$program" "$@"
}
# Its signals are mpirun's, not those of timeout.
start_over() {
  local processes=$1
  shift
  mpirun --oversubscribe -np "$processes" "$program" "$@" >out 2>err &
  mpirun=$!
}
curve() { cut -d, -f1-3,5- "$1/eval.csv"; }
# The same policy, curve and state, but for times.
expect_equal() {
  h5diff -q whole/policy.h5 "$1/policy.h5" || { echo "the policy of $1 differs" && return 1; }
  diff <(curve whole) <(curve "$1") || return 1
  h5diff --exclude-path /train/progress/wall_seconds --exclude-attribute / whole/checkpoint.h5 "$1/checkpoint.h5" >states ||
    { ! grep -q '^dataset' states && return 0; }
  ! grep '^dataset' states
}
step_of() { h5dump -d /train/progress/step "$1/checkpoint.h5" | sed -n 's/.*(0): //p'; }
wait_for() {
  local i
  for ((i = 0; i < 600; ++i)); do
    if [[ -e $1 ]]; then return; fi
    sleep 0.05
  done
  echo "after half a minute there is no $1"
  return 1
}

any_number_of_processes_and_threads() {
  local both
  for both in '1 2' '2 1' '2 2' '3 1' '4 1' '4 2' '8 1'; do  # processes and threads of each
    over "${both% *}" train run.toml --quiet --threads "${both#* }" --out "p$both" || return
    expect_equal "p$both" || return
  done
}

stops_and_goes_on_with_another_number() {
  start_over 2 train run.toml --quiet --out stopped
  wait_for stopped/checkpoint.h5 || return
  kill -USR1 $mpirun
  wait $mpirun
  local status=$?
  [[ $status == 75 ]] || { echo "the status is $status; expected 75" && cat err && return 1; }
  grep -q 'interrupted; saved in stopped' err || { cat err && return 1; }
  (($(step_of stopped) < 20000)) || { echo "it has ended before the signal" && return 1; }
  local before
  before=$(step_of stopped)
  start_over 4 train --resume stopped --quiet
  sleep 1
  kill -TERM $mpirun
  wait $mpirun
  (($(step_of stopped) >= before)) || return
  # On a fast machine the run has ended before the second signal.
  [[ -e stopped/result.json ]] || goalpost train --resume stopped --quiet --threads 2 || return
  expect_equal stopped
}

begins_in_one_process_and_ends_in_three() {
  goalpost train run.toml --quiet --out begun &
  wait_for begun/checkpoint.h5 || return
  pkill -TERM -P $! || return
  wait $!
  over 3 train --resume begun --quiet --set train.threads=2 || return
  expect_equal begun
}

a_killed_process_ends_the_job_and_nothing_saved_is_lost() {
  start_over 2 train run.toml --quiet --out killed
  wait_for killed/checkpoint.h5 || return
  pkill -KILL -n -f -- '--out killed' || return
  wait $mpirun && { echo "mpirun has not failed" && return 1; }
  pgrep -f -- '--out killed' && return 1
  goalpost train --resume killed --quiet || return
  expect_equal killed
}

# refused STATUS SENTENCE ARGUMENTS...: one message from all processes
refused() {
  local status=0 sentence=$2
  over 3 "${@:3}" >out 2>err || status=$?
  [[ $status == "$1" ]] || { echo "the status of ${*:3} is $status; expected $1" && cat err && return 1; }
  [[ $(grep -c goalpost: err) == 1 ]] && grep -qF "$sentence" err || { echo "expected: $sentence" && cat err && return 1; }
}

errors_are_one_sentence() {
  refused 2 'did you mean workers?' train run.toml --set train.wokers=2 || return
  refused 2 'train.workers = 2, but mpirun has started 3 processes' train run.toml --set train.workers=2 || return
  refused 2 'expected one seed' train run.toml --seed 1-3 || return
  refused 2 'is already used' train run.toml --out whole || return
  refused 2 'is not a run directory' train --resume none || return
  refused 2 'overlap' train run.toml --set train.overlap=true || return
  refused 2 'train: nothing to train' train || return
  refused 2 'expected none of' train --resume whole --jobs 2 || return
  refused 2 'mpirun has started 3 processes of `goalpost report`' report whole || return
  refused 2 'of memory' train run.toml --set agent.replay.buffer_size=400000000 || return
  [[ ! -e runs ]] || { echo "a refused run has left files" && return 1; }
}

# Losses are summed, so that all processes meet the same NaN: one message, and the policy of one process.
a_nan_is_one_message() {
  local nan=(--set agent.ddpg.q_adam.lr=1 --set agent.ddpg.q_adam.beta2=0 --set agent.ddpg.q_adam.epsilon=0
    --set "agent.ddpg.q.hidden=[32,32,32,32,32,32,32,32]" --set agent.ddpg.gamma=1)
  goalpost train run.toml --quiet --out nan1 "${nan[@]}" 2>alone
  [[ $? == 1 ]] && grep -q 'update' alone || { echo "no NaN" && cat alone && return 1; }
  refused 1 "$(sed 's/^goalpost: //' alone)" train run.toml --quiet --out nan3 "${nan[@]}" || return
  [[ $(curve nan1) == "$(curve nan3)" ]] && h5diff -q nan1/policy.h5 nan3/policy.h5
}

a_stop_does_not_wait_for_the_cycle() {
  start_over 2 train run.toml --quiet --out cycle --set train.updates_per_step=0 --set train.cycle_episodes=16 \
    --set train.cycle_updates=1000000
  wait_for cycle/eval.csv || return
  sleep 3
  kill -USR1 $mpirun
  local begin=$SECONDS
  wait $mpirun
  ((SECONDS - begin < 10)) && grep -q 'interrupted; saved' err
}

other_checkpoints_are_refused() {
  over 2 train run.toml --quiet --out here --steps 6000 && cp -r here there || return
  goalpost train --resume there --quiet --set train.total_steps=8000 || return
  cp here/config.toml there/config.toml && rm there/result.json here/result.json
  timeout 60 mpirun --oversubscribe -np 1 "$program" train --resume here --quiet : \
    -np 1 "$program" train --resume there --quiet >out 2>err && return 1
  grep -q 'see different checkpoints' err || { cat err && return 1; }
}

processes_of_work_are_independent() {
  goalpost plan run.toml --seeds 2 --out plan >out || return
  timeout 120 mpirun --oversubscribe -np 2 "$program" work plan --quiet >out 2>err || { cat err && return 1; }
  [[ -e plan/workers/seed_1/result.json && -e plan/workers/seed_2/result.json ]]
}

other_kernels_are_refused() {
  timeout 60 mpirun --oversubscribe -np 1 "$program" train run.toml --quiet --out mixed : \
    -np 1 env GOALPOST_KERNELS=Eigen "$program" train run.toml --quiet --out mixed >out 2>err && return 1
  grep -q "process 1 has kernels = Eigen" err || { cat err && return 1; }
}

tests=(any_number_of_processes_and_threads stops_and_goes_on_with_another_number begins_in_one_process_and_ends_in_three
  a_killed_process_ends_the_job_and_nothing_saved_is_lost errors_are_one_sentence a_nan_is_one_message
  a_stop_does_not_wait_for_the_cycle other_checkpoints_are_refused processes_of_work_are_independent
  other_kernels_are_refused)
goalpost train run.toml --quiet --out whole || exit
failed=0
for test in "${tests[@]}"; do
  [[ $test == *"${2-}"* ]] || continue
  echo "[ RUN      ] Mpi.$test"
  begin=$(date +%s%3N)
  if "$test"; then result='[       OK ]'; else result='[  FAILED  ]' failed=1; fi
  echo "$result Mpi.$test ($(($(date +%s%3N) - begin)) ms)"
done
exit $failed
