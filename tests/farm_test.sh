#!/usr/bin/env bash
# Plans under what people start them with, as src/experiments/plans.md says: a Slurm of one node, GNU parallel, and two
# hosts that share a folder. Prints what GoogleTest would, so that the launcher counts it: ./goalpost test farm
# Usage: farm_test.sh PROGRAM [PART OF A NAME], as root (Slurm's daemons start jobs as their user, hosts get names of their own)
set -uo pipefail
program=$(readlink -f "$1")
page=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/src/experiments/plans.md
here=$(mktemp -d)
trap 'stop_slurm; rm -rf "$here"' EXIT
cd "$here" || exit
ln -s "$program" goalpost

tiny=(--set env.bits=4 --set train.num_envs=4 --set agent.dqn.q.hidden=[16] --set agent.batch_size=16
  --set train.learning_starts=40 --set train.eval_every=200 --set train.eval_episodes=5 --set train.final_eval_episodes=5
  --set train.stop_success=0 --set train.total_episodes=0 --set train.cycle_episodes=0 --set train.cycle_updates=0
  --set train.updates_per_step=0.25 --set train.checkpoint_every=2000 --set agent.replay.buffer_size=2000)
make_plan() { ./goalpost plan bit_flip_her --out "$1" --seeds "$2" "${tiny[@]}" --set "train.total_steps=$3" >/dev/null; }

# The evaluations of all runs of a plan, but for times.
curves() { (cd "$1" && for f in */seed_*/eval.csv */*/seed_*/eval.csv; do [[ ! -e $f ]] || { echo "$f"; cut -d, -f1-3,5- "$f"; }; done); }
count() { ./goalpost status "$1" --json | grep -c "\"state\": \"$2\""; }
wait_until() {
  local i
  for ((i = 0; i < 600; ++i)); do
    if "$@"; then return; fi
    sleep 0.2
  done
  echo "after two minutes still not: $*"
  return 1
}

# ---- a Slurm of one node, from files below $here ------------------------------------------------------------------------
start_slurm() {
  local d=$here/slurm
  mkdir -p "$d/state" "$d/spool"
  head -c 1024 /dev/urandom >"$d/munge.key" && chmod 600 "$d/munge.key"
  munged --force --key-file="$d/munge.key" --socket="$d/munge.socket" --pid-file="$d/munge.pid" \
    --log-file="$d/munge.log" --seed-file="$d/munge.seed" || return
  cat >"$d/slurm.conf" <<S
ClusterName=one
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=$(id -un)
AuthInfo=socket=$d/munge.socket
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$d/state
SlurmdSpoolDir=$d/spool
SlurmctldPidFile=$d/slurmctld.pid
SlurmdPidFile=$d/slurmd.pid
SlurmctldLogFile=$d/slurmctld.log
SlurmdLogFile=$d/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
NodeName=$(hostname) CPUs=$(nproc) NodeAddr=127.0.0.1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
S
  export SLURM_CONF=$d/slurm.conf
  slurmctld && slurmd && wait_until bash -c 'sinfo -h -o %T | grep -q idle'
}
need_slurm() {
  [[ ! ${SLURM_CONF-} ]] || return 0
  command -v slurmctld >/dev/null || { echo "Slurm is not installed (Debian: slurm-wlm)"; return 77; }
  start_slurm || { cat "$here"/slurm/*.log; return 1; }
}
stop_slurm() {
  local name
  for name in slurmd slurmctld munge; do
    [[ ! -e $here/slurm/$name.pid ]] || kill "$(<"$here/slurm/$name.pid")"
  done 2>/dev/null
}
queue_is_empty() { [[ ! $(squeue -h) ]]; }

# The first script of the page's section on Slurm, for the runs of this test.
slurm_script() {
  sed -n '/^## Slurm/,/^## /p' "$page" | sed -n '/^#!\/bin\/bash/,/^```/p' | sed '/^```/,$d' |
    sed "s/--array=[0-9%-]*/--array=$1/; s/--cpus-per-task=[0-9]*/--cpus-per-task=1/; s/ sweep / $2 /"
}

test_slurm_works_off_an_array_as_the_page_says() {
  need_slurm || return
  make_plan whole 1-4 8000 && ./goalpost work whole --jobs 0 --quiet 2>/dev/null || return
  make_plan sweep 1-4 8000 || return
  slurm_script 0-3 sweep >job.sh
  cat job.sh
  sbatch --output=slurm_%a.log job.sh || return
  wait_until queue_is_empty || return
  cat slurm_*.log
  [[ $(count sweep done) == 4 ]] && [[ $(curves sweep) == "$(curves whole)" ]]
}

test_slurm_puts_a_signaled_job_into_the_queue_again() {
  need_slurm || return
  make_plan long 1 40000 && ./goalpost work long --quiet 2>/dev/null || return
  make_plan again 1 40000 || return
  slurm_script 0 again >job.sh
  local job
  job=$(sbatch --parsable --output=again.log --open-mode=append job.sh) || return
  wait_until compgen -G 'again/*/seed_1/eval.csv' >/dev/null || return
  scancel --signal=USR1 --batch "${job}_0"     # as --signal=B:USR1@120 does before the time limit
  wait_until grep -q ' 1 unfinished of 1 run' again.log || { cat again.log; return 1; }
  scontrol show job "${job}_0" | grep -q 'Restarts=1' || { scontrol show job "$job"; return 1; }
  scontrol update JobId="${job}_0" StartTime=now  # a requeued job waits for a minute or two otherwise
  wait_until queue_is_empty || return
  cat again.log
  [[ $(count again done) == 1 ]] && [[ $(curves again) == "$(curves long)" ]]
}

test_gnu_parallel_runs_the_numbers() {
  command -v parallel >/dev/null || { echo "GNU parallel is not installed (Debian: parallel)"; return 77; }
  make_plan numbers 1-4 800 || return
  parallel --will-cite --jobs 2 ./goalpost work numbers --index {} --quiet ::: {0..3} || return
  [[ $(count numbers done) == 4 ]]
}

# A process of one host is killed; the other one takes its run over when it has been silent for long enough.
test_two_hosts_share_a_folder() {
  unshare --uts --net --pid --fork true 2>/dev/null || { echo "this system makes no namespaces"; return 77; }
  local host first second
  make_plan shared 1-4 40000 && cp -r shared alone && ./goalpost work alone --jobs 0 --quiet 2>/dev/null || return
  for host in node1 node2; do
    unshare --uts --net --pid --fork --mount-proc --kill-child bash -c "hostname $host && exec ./goalpost work shared" \
      >"$host.log" 2>&1 &
    if [[ $host == node1 ]]; then first=$!; else second=$!; fi
  done
  wait_until bash -c "./goalpost status shared | grep -q 'on node1' && ./goalpost status shared | grep -q 'on node2'" || {
    cat node1.log node2.log
    return 1
  }
  kill -9 "$first"
  wait "$second" || { cat node2.log; return 1; }
  grep 'on node1 is training it' node2.log || { cat node2.log; return 1; }
  [[ $(count shared 'done') == 4 ]] && [[ $(curves shared) == "$(curves alone)" ]]
}

status=0
for name in $(compgen -A function test_); do
  [[ ! ${2-} || $name == *$2* ]] || continue
  echo "[ RUN      ] $name"
  begin=$SECONDS
  "$name" >"$here/log" 2>&1
  case $? in
    0) verdict='[       OK ]' ;;
    77) verdict='[  SKIPPED ]' && cat "$here/log" ;;
    *) verdict='[  FAILED  ]' && status=1 && cat "$here/log" ;;
  esac
  echo "$verdict $name ($(((SECONDS - begin) * 1000)) ms)"
done
exit $status
