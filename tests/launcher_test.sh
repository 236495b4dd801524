#!/usr/bin/env bash
# The launcher with stubs for what it calls (meson, ninja, dpkg-query, apt-get, sudo, clang++): what it calls, when, and what
# it says. Prints what GoogleTest would, so that the launcher counts it: ./goalpost test launcher
set -uo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
chmod a+rx "$here"
unset GOALPOST_WERROR GOALPOST_LOCK_SECONDS CXX
export PATH=$here/bin:$PATH calls=$here/calls
mkdir "$here/bin"

stub() { cat >"$here/bin/$1" && chmod +x "$here/bin/$1"; }
stub dpkg-query <<'S'
#!/bin/sh
[ -e "$calls.missing" ] || echo installed
S
stub sudo <<'S'
#!/bin/sh
[ "$1" != -n ] || shift
exec "$@"
S
stub apt-get <<'S'
#!/bin/sh
echo "apt-get chatters about $*"
[ ! -e "$calls.apt_fails" ]
S
stub clang++ <<'S'
#!/bin/sh
echo "clang++: no libFuzzer" >&2
exit 1
S
stub meson <<'S'
#!/bin/bash
echo "meson $*" >>"$calls"
shift
[[ $1 == --reconfigure ]] && { [[ -e $calls.reconfigure_fails ]] && exit 1; shift; }
mkdir -p "$1" && echo "for $2" >"$1/build.ninja"
S
# Two at once would disturb each other; what is built is not whole at once.
stub ninja <<'S'
#!/bin/bash
while [[ $1 != -C ]]; do shift; done
directory=$2
shift 2
mkdir "$directory/.busy" || echo COLLISION >>"$calls"
echo "ninja in $(<"$directory/build.ninja")" >>"$calls"
sleep "${BUILD_SECONDS:-0.2}"
for target in "$@"; do
  printf '#!/bin/sh\n' >"$directory/$target.new"
  cat "$calls.program" >>"$directory/$target.new"
  chmod +x "$directory/$target.new" && mv "$directory/$target.new" "$directory/$target"
done
rmdir "$directory/.busy"
[[ ! -e $calls.build_fails ]]
S

# Each test begins with a fresh tree in which nothing is built.
begin() {
  chmod -R u+w "$here/trees" 2>/dev/null
  rm -rf "$here/trees" "$calls"*
  mkdir -p "$here/trees/one/src" && tree=$here/trees/one
  cp "$source/goalpost" "$tree"
  : >"$calls"
  echo 'echo "program: $*"' >"$calls.program"
}
start() { "$tree/goalpost" "$@" >"$here/out" 2>"$here/err"; }
count() { grep -c -- "$1" "${2:-$calls}"; }
fail() { echo "$*" && bad=1; }
expect() { [[ $2 == "$3" ]] || fail "$1: $2; expected $3"; }
expect_text() { grep -qF -- "$2" "$1" || fail "$(basename "$1") lacks \"$2\": $(sed 's/^/  /' "$1")"; }

TheProgramRunsWithItsArgumentsAndStatus() {
  echo 'exit 7' >>"$calls.program"
  start list envs
  expect status $? 7
  expect out "$(<"$here/out")" 'program: list envs'
  start list
  expect 'calls of meson' "$(count meson)" 1
}

MessagesNameCommandsAsTyped() {
  echo 'echo "as $GOALPOST_COMMAND"' >"$calls.program"
  (cd "$tree" && ./goalpost list >"$here/out")
  expect out "$(<"$here/out")" 'as ./goalpost'
  start test unit
  expect_text "$here/out" 'unit_tests: 0 passed'
  grep -q '^as $' "$tree/build/unit_tests.log" || fail "tests see it, too: $(<"$tree/build/unit_tests.log")"
  start --help
  local suite
  for suite in unit alloc tsan learn farm mpi tidy mutants; do
    grep -qE "^ +$suite  " "$here/out" || fail "help lacks $suite"
  done
}

StartsAtOnceBuildOneAfterAnother() {
  local round i ids=()
  for round in fresh 'after an edit'; do
    ids=()
    for i in 1 2 3 4; do
      "$tree/goalpost" list $i >"$here/out.$i" 2>"$here/err.$i" &
      ids+=($!)
    done
    for i in "${ids[@]}"; do wait "$i" || fail "a start failed, $round: $(cat "$here"/err.?)"; done
    for i in 1 2 3 4; do
      expect "out, $round" "$(<"$here/out.$i")" "program: list $i"
      (($(count waiting "$here/err.$i") <= 1)) || fail "said more than once that it waits"
    done
    expect "starts that waited, $round" "$(cat "$here"/err.? | grep -c waiting)" 3
  done
  expect collisions "$(count COLLISION)" 0
  expect 'calls of meson' "$(count meson)" 1
  expect 'calls of ninja' "$(count ninja)" 8
}

AStartThatWaitsTooLongFailsWithASentence() {
  mkdir "$tree/build"
  exec 8>>"$tree/build/.lock" && flock 8
  GOALPOST_LOCK_SECONDS=1 start list 8>&-
  expect status $? 1
  exec 8>&-
  expect_text "$here/err" "$tree/build/.lock for 1 s"
  expect 'calls' "$(count .)" 0
  start list || fail "fails when the lock is free again"
  GOALPOST_LOCK_SECONDS=soon start list
  expect 'status of a wrong limit' $? 2
}

TheProgramDoesNotHoldTheLock() {
  cat >"$calls.program" <<P
ls -l /proc/\$\$/fd | grep -F .lock
flock --nonblock '$tree/build/.lock' echo free
P
  start list
  expect out "$(<"$here/out")" free
}

AfterAKilledStartTheNextWaitsForItsNinja() {
  BUILD_SECONDS=2 "$tree/goalpost" list >/dev/null 2>&1 &
  local first=$!
  until [[ -d $tree/build/.busy ]]; do sleep 0.05; done
  kill -9 $first && wait $first 2>/dev/null
  start list || fail "the next start failed: $(<"$here/err")"
  expect_text "$here/err" waiting
  expect collisions "$(count COLLISION)" 0
}

WithoutLocksItSaysSoAndBuilds() {
  printf '#!/bin/sh\necho "flock: no locks" >&2\nexit 71\n' | stub flock
  start list
  expect status $? 0
  rm "$here/bin/flock"
  expect_text "$here/err" 'this file system has no locks'
}

AMovedTreeIsConfiguredAnewOnce() {
  start list
  mv "$tree" "$here/trees/two" && tree=$here/trees/two
  start list || fail "$(<"$here/err")"
  start list
  expect 'calls of meson' "$(count meson)" 2
  expect 'last build' "$(tail -n 1 "$calls")" "ninja in for $tree"
}

ACopiedTreeBuildsItsOwnFiles() {
  start list
  local how
  for how in -r -a; do
    cp $how "$here/trees/one" "$here/trees/copy$how" && tree=$here/trees/copy$how
    start list || fail "$(<"$here/err")"
    start list
    expect 'last build' "$(tail -n 1 "$calls")" "ninja in for $tree"
  done
  expect 'calls of meson' "$(count meson)" 3
  expect "the original's build" "$(<"$here/trees/one/build/build.ninja")" "for $here/trees/one"
}

WhatMesonCannotReconfigureIsBuiltFromNothing() {
  start list
  touch "$calls.reconfigure_fails" "$tree/build/old"
  mv "$tree" "$here/trees/two" && tree=$here/trees/two
  start list || fail "$(<"$here/err")"
  expect 'calls of meson' "$(count meson)" 3
  [[ ! -e $tree/build/old ]] || fail 'the old build is still there'
}

OtherOptionsConfigureAnew() {
  start list
  GOALPOST_WERROR=1 start list
  GOALPOST_WERROR=1 start list
  expect 'calls of meson' "$(count meson)" 2
  expect 'last call' "$(count 'meson.*-Dwerror=true')" 1
  start list
  expect 'back again' "$(grep meson "$calls" | tail -n 1 | grep -c -- -Dwerror=false)" 1
}

AssertionsAreArmedInSanitizerBuilds() {
  start test asan tsan
  expect 'builds with assertions' "$(count '-Db_ndebug=false .*-D_GLIBCXX_ASSERTIONS')" 2
}

# Somebody else's, and not to be written.
foreign() {
  chmod -R a-w "$here/trees" && chmod -R a+rX "$here/trees" "$here/bin" "$calls"*
  if ((EUID == 0)); then
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
  else
    "$@"
  fi
}

AReadOnlyCheckoutThatIsBuiltJustRuns() {
  start list
  : >"$calls"
  foreign "$tree/goalpost" list >"$here/out" 2>"$here/err"
  expect status $? 0
  expect out "$(<"$here/out")" 'program: list'
  expect err "$(<"$here/err")" ''
  expect calls "$(count .)" 0
  foreign "$tree/goalpost" test unit >"$here/out" 2>"$here/err"
  expect 'status of test' $? 1
  expect_text "$here/err" 'cannot be written'
}

AReadOnlyCheckoutThatIsNotBuiltIsRefused() {
  foreign "$tree/goalpost" list >"$here/out" 2>"$here/err"
  expect status $? 1
  expect_text "$here/err" "goalpost is not built in $tree/build, which cannot be written"
}

AptIsHeardOnlyIfItFails() {
  touch "$calls.missing" "$calls.apt_fails"
  start list
  expect status $? 1
  expect_text "$here/err" "$tree/build/install.log"
  expect_text "$here/err" 'apt-get install --no-install-recommends g++'
  expect_text "$tree/build/install.log" 'apt-get chatters'
  rm "$calls.apt_fails"
  start list
  expect status $? 0
  expect 'words of apt' "$(cat "$here/out" "$here/err" | grep -c chatters)" 0
  rm "$calls.missing"
  expect 'clang among the packages' "$(count ' clang' "$here/err")" 0
}

SkippedTestsAreCountedOnce() {
  cat >"$calls.program" <<'P'
cat <<'G'
[ RUN      ] A.Good
[       OK ] A.Good (0 ms)
[ RUN      ] A.Left
[  SKIPPED ] A.Left (0 ms)
[ RUN      ] A.Bad
[  FAILED  ] A.Bad (1 ms)
[  PASSED  ] 1 test.
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] A.Left
[  FAILED  ] 1 test, listed below:
[  FAILED  ] A.Bad
G
exit 1
P
  start test gradient alloc
  expect status $? 1
  expect_text "$here/out" 'gradient_tests: 1 passed, 1 failed, 1 skipped'
  expect 'last line' "$(tail -n 1 "$here/out")" '2 passed, 2 failed, 2 skipped'
}

AFailedBuildFails() {
  touch "$calls.build_fails"
  start list
  expect status $? 1
  expect_text "$here/err" 'the build of goalpost failed'
}

WithoutClangFuzzingUsesTheDriverAndSaysSo() {
  mkdir -p "$tree/tests/fuzz/corpus" "$tree/src/experiments" && touch "$tree/src/experiments/one.toml"
  start test fuzz
  expect status $? 0
  expect_text "$here/err" 'clang++: no libFuzzer'
  expect_text "$here/err" 'with the built-in driver'
  expect 'last line' "$(tail -n 1 "$here/out")" '3 passed, 0 failed, 0 skipped'
  start test clang
  expect 'status of clang' $? 1
}

TheRevisionIsTheTreesOwn() {
  (cd "$here/trees" && git init -q . && git -c user.name=n -c user.email=e commit -q --allow-empty -m outer)
  (cd "$tree" && sh "$source/src/run/revision.sh" >"$here/out") && fail "a revision without a repository: $(<"$here/out")"
  (cd "$tree" && git init -q . && git -c user.name=n -c user.email=e commit -q --allow-empty -m own)
  expect revision "$(cd "$tree" && sh "$source/src/run/revision.sh")" \
    "$(git -C "$tree" rev-parse --short=12 HEAD)"
}

EveryEditIsARevisionOfItsOwn() {
  local repository=$here/edits clean first second again
  mkdir -p "$repository"/algos "$repository"/src/experiments
  revision() { (cd "$repository" && sh "$source/src/run/revision.sh"); }
  echo 'a' >"$repository/algos/sac.cpp"
  (cd "$repository" && git init -q . && git add . && git -c user.name=n -c user.email=e commit -q -m own)
  clean=$(revision)
  echo 'b' >"$repository/algos/sac.cpp"
  first=$(revision)
  echo 'c' >"$repository/algos/sac.cpp"
  second=$(revision)
  [[ $first == "$clean-dirty."???????? && $second == "$clean-dirty."???????? ]] || fail "revisions: $clean $first $second"
  [[ $first != "$second" ]] || fail "two edits are one revision: $first"
  echo 'b' >"$repository/algos/sac.cpp"
  expect 'the first edit again' "$(revision)" "$first"
  echo 'new' >"$repository/src/experiments/mine.toml"
  expect 'what is not compiled' "$(revision)" "$first"
  echo 'new' >"$repository/algos/mine.cpp"
  again=$(revision)
  [[ $again != "$first" ]] || fail "a new source file is no revision of its own: $again"
}

mapfile -t tests < <(sed -n 's/^\([A-Z][A-Za-z]*\)() {$/\1/p' "${BASH_SOURCE[0]}")
failed=0
for test in "${tests[@]}"; do
  [[ -z ${1-} || $test == *$1* ]] || continue
  echo "[ RUN      ] Launcher.$test"
  bad=0 begin_ms=$(date +%s%3N)
  begin
  $test
  ms=$(($(date +%s%3N) - begin_ms))
  if ((bad)); then
    echo "[  FAILED  ] Launcher.$test ($ms ms)"
    failed=1
  else
    echo "[       OK ] Launcher.$test ($ms ms)"
  fi
done
exit $failed
