/*
 * The reaper: the guest's parent, in a session of its own. It ends the guest and removes the
 * temporary files when the supervisor closes the lifeline or is killed, so that nothing is left
 * behind in either case.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start_guest(const struct request *request, const struct job *job, int channel)
{
	pid_t reaper = getpid();
	int cpu = request->smp ? -1 : claim_cpu();
	pid_t guest = fork();
	if (guest)
		return guest;
	/* A process group for the guest. UML makes one too, but possibly too late for end_guest. */
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != reaper)
		_exit(LANE_FAILED);
	if (request->smp)
		qemu_exec(request, job, channel);
	uml_exec(request, job, channel, cpu);
}

/*
 * Kills the whole group in one call. If its first process were killed alone, the processes that it
 * traces would continue, and make their system calls to the host.
 */
static void end_guest(pid_t guest)
{
	if (guest > 0) {
		kill(-guest, SIGKILL);
		kill(guest, SIGKILL);
	}
	/* As subreaper this process is the parent of all remaining processes. */
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

/* Reports the guest's end when it happens. False once the guest has ended. */
static int reap(pid_t guest, int report)
{
	int status, running = 1;
	pid_t ended;
	while ((ended = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
		if (ended == guest) {
			kill(-guest, SIGKILL);
			write_all(report, &status, sizeof status);
			running = 0;
		}
	return running;
}

static void watch(pid_t guest, int lifeline, int report)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	struct pollfd events[] = {{.fd = lifeline, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	while (poll(events, 2, -1) > 0 || errno == EINTR) {
		if (events[0].revents)
			return;
		struct signalfd_siginfo info;
		if (read(signals, &info, sizeof info) > 0 && !reap(guest, report))
			events[1].fd = -1;
	}
}

/* Releases standard output and error, which may be pipes that are read to their end. */
static void release_output(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (!isatty(STDIN_FILENO))
		dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

_Noreturn static void keep(const struct request *request, const struct job *job, int channel, int lifeline, int report)
{
	setsid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_NAME, "sctp-reaper");
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	pid_t guest = start_guest(request, job, channel);
	release_output();
	close(channel);
	write_all(report, &guest, sizeof guest);
	watch(guest, lifeline, report);
	end_guest(guest);
	terminal_restore();
	remove_tree(job->dir);
	_exit(0);
}

void reaper_start(struct reaper *reaper, const struct request *request, const struct job *job,
                  int channel, int other_end)
{
	int lifeline[2], report[2];
	if (pipe2(lifeline, O_CLOEXEC) || pipe2(report, O_CLOEXEC) || (reaper->pid = fork()) < 0)
		fail("cannot start the guest: %s", strerror(errno));
	if (!reaper->pid) {
		close(lifeline[1]);
		close(report[0]);
		close(other_end);
		keep(request, job, channel, lifeline[0], report[1]);
	}
	close(lifeline[0]);
	close(report[1]);
	close(channel);
	reaper->lifeline = lifeline[1];
	reaper->report = report[0];
	if (read(reaper->report, &reaper->guest, sizeof reaper->guest) != sizeof reaper->guest)
		reaper->guest = -1;
}

void reaper_stop(struct reaper *reaper)
{
	int status = -1;
	close(reaper->lifeline);
	while (waitpid(reaper->pid, &status, 0) < 0 && errno == EINTR)
		;
	/* Fails only if the reaper was killed. */
	if (status && reaper->guest > 0)
		kill(-reaper->guest, SIGKILL);
}
