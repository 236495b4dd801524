#!/bin/sh
# Prints the revision of the source tree that is the working directory. Fails where the tree is no checkout of its own:
# one that was unpacked inside another repository does not have that one's revision.
unset GIT_DIR GIT_WORK_TREE
export GIT_OPTIONAL_LOCKS=0
# Who builds may be another user than the owner of the tree.
git() { command git -c safe.directory='*' "$@"; }
top=$(git rev-parse --show-toplevel 2>/dev/null) || exit 1
[ "$top" -ef . ] || exit 1
revision=$(git describe --always --dirty --abbrev=12) || exit 1
# Two changes of the same commit are two revisions: a hash of what is compiled and not committed tells them apart.
case $revision in
  *-dirty)
    changes=$({
      git diff HEAD -- meson.build autodiff nn algos envs src ':!src/experiments' ':!*.md'
      git ls-files -z --others --exclude-standard -- autodiff nn algos envs src ':!src/experiments' ':!*.md' |
        xargs -0 -r sha1sum
    } | sha1sum | cut -c1-8)
    revision=$revision.$changes
    ;;
esac
printf '%s\n' "$revision"
