// Runs a command in a process group of its own: a ^C at the terminal is not for it. In: nothing. Out: what stands before the command.
// It stays in our session, unlike with `detached` of node:child_process: where the kernel shares the cores out by session (sched(7),
// "The autogroup feature"), neither nice values nor sched_yield(2) reach beyond one, and our programs rely on both.
export const OWN_GROUP: readonly string[] = [
  'perl',
  '-e',
  'setpgrp(0, 0); exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\\n"',
];
