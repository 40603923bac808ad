// Package guard runs a command so that nothing of it outlives its right to run.
//
// The command is not a child of the process that calls [Start], but of a guard: the same program,
// started again with a hidden argument, in a process group of its own. Guard and caller hold the two
// ends of a socket. The caller tells the guard until when the command may run and moves that moment
// with every renewal; the guard needs nobody to keep it:
//
//   - the moment passes, because the caller hangs, is stopped (SIGSTOP, ctrl-Z) or says so: SIGKILL;
//   - the socket closes, because the caller died, however it died: SIGKILL;
//   - the guard dies: the kernel kills the command, and the caller adopts and kills what it started.
//
// SIGKILL goes to the command's process group and then, on Linux, to every descendant, wherever it
// went (a job of an interactive shell, timeout(1), setsid(1)): guard and caller are subreapers, so
// what loses its parent becomes theirs, and children are killed until none is left. Elsewhere it
// goes to the group alone.
//
// The guard is there before the command is started, and no signal to the command's group or to the
// caller's reaches it.
//
// If the command is to have the terminal, it has it before it is started: a stand-in leads its group
// until the terminal is handed over, and then becomes the command by exec.
//
// No process number is trusted after its process may have been replaced: the command leads its
// group and is reaped last, and as long as it is not reaped its number is taken; descendants are
// signalled only as unreaped children.
//
// Not promised: processes that the caller may not signal (sudo) are reported, and run until they
// end by themselves; SIGKILL to guard and caller at the same moment spares what the command started.
package guard
