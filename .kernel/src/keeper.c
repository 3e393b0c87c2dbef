/*
 * The keeper: the guest's parent, in a session of its own. It ends the guest and clears up
 * when the supervisor closes the life line, and just the same when the supervisor is killed:
 * nothing is left behind either way, and there is one piece of code that clears up.
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
	pid_t keeper = getpid();
	int cpu = request->smp ? -1 : claim_cpu();
	pid_t guest = fork();
	if (guest)
		return guest;
	/* A process group of the guest's. UML makes one anyway; here it is sure to exist in time. */
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(LANE_FAILED);
	if (request->smp)
		qemu_exec(request, job, channel);
	uml_exec(request, job, channel, cpu);
}

/*
 * The whole group in one call: were its first process killed alone, the processes it traces
 * would go on by themselves, their system calls now the host's.
 */
static void end_guest(pid_t guest)
{
	if (guest > 0) {
		kill(-guest, SIGKILL);
		kill(guest, SIGKILL);
	}
	/* As subreaper this process is the parent of whatever is left: wait for all of it. */
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

/* Passes the guest's end on as soon as it happens. True while it lives. */
static int reap(pid_t guest, int report)
{
	int status, lives = 1;
	pid_t ended;
	while ((ended = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
		if (ended == guest) {
			kill(-guest, SIGKILL);
			write_all(report, &status, sizeof status);
			lives = 0;
		}
	return lives;
}

static void watch(pid_t guest, int life, int report)
{
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	struct pollfd events[] = {{.fd = life, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	while (poll(events, 2, -1) > 0 || errno == EINTR) {
		if (events[0].revents)
			return;
		struct signalfd_siginfo info;
		if (read(signals, &info, sizeof info) > 0 && !reap(guest, report))
			events[1].fd = -1;
	}
}

/* Standard output and error may be pipes that someone reads to their end. */
static void let_go_of_output(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (!isatty(STDIN_FILENO))
		dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

_Noreturn static void keep(const struct request *request, const struct job *job, int channel, int life, int report)
{
	setsid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_NAME, "sctp-keeper");
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	pid_t guest = start_guest(request, job, channel);
	let_go_of_output();
	close(channel);
	write_all(report, &guest, sizeof guest);
	watch(guest, life, report);
	end_guest(guest);
	terminal_restore();
	remove_tree(job->dir);
	_exit(0);
}

void keeper_start(struct keeper *keeper, const struct request *request, const struct job *job,
                  int channel, int other_end)
{
	int life[2], report[2];
	if (pipe2(life, O_CLOEXEC) || pipe2(report, O_CLOEXEC) || (keeper->pid = fork()) < 0)
		fail("cannot start the guest: %s", strerror(errno));
	if (!keeper->pid) {
		close(life[1]);
		close(report[0]);
		close(other_end);
		keep(request, job, channel, life[0], report[1]);
	}
	close(life[0]);
	close(report[1]);
	close(channel);
	keeper->life = life[1];
	keeper->report = report[0];
	if (read(keeper->report, &keeper->guest, sizeof keeper->guest) != sizeof keeper->guest)
		keeper->guest = -1;
}

void keeper_stop(struct keeper *keeper)
{
	int status = -1;
	close(keeper->life);
	while (waitpid(keeper->pid, &status, 0) < 0 && errno == EINTR)
		;
	/* Only if the keeper was killed is there anything left to do. */
	if (status && keeper->guest > 0)
		kill(-keeper->guest, SIGKILL);
}
