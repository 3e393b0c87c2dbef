/*
 * User-Mode Linux: how this kind of guest is started. Another kind (QEMU, say) needs a
 * function like uml_exec, and in guest.c the mounts that give it the host's files.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CHANNEL_FD = 3, CONSOLE_FD = 4 };

/* Descriptors as the command line names them; all others close on exec. */
static void place_descriptors(const struct job *job, int channel)
{
	int console = openat(job->fd, "console", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Above the numbers that are about to be overwritten. */
	channel = fcntl(channel, F_DUPFD_CLOEXEC, 16);
	console = fcntl(console, F_DUPFD_CLOEXEC, 16);
	null = fcntl(null, F_DUPFD_CLOEXEC, 16);
	dup2(null, STDIN_FILENO);
	dup2(console, STDOUT_FILENO);
	dup2(console, STDERR_FILENO);
	dup2(channel, CHANNEL_FD);
	dup2(console, CONSOLE_FD);
	close_range(CONSOLE_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Randomised, UML finds a gap between itself and its memory, and takes it off the memory. */
static void settle(int cpu)
{
	personality(ADDR_NO_RANDOMIZE);
	if (cpu >= 0) {
		cpu_set_t one;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof one, &one);
	}
	/* The guest's open files on hostfs are this process's. */
	struct rlimit files;
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int number = 1; number < 32; number++)
		signal(number, SIG_DFL);
}

static char *word(const char *format, const char *value)
{
	char *text;
	if (asprintf(&text, format, value) < 0)
		fail("out of memory");
	return text;
}

void uml_exec(const struct request *request, const struct job *job, int channel, int cpu)
{
	char self[4096] = "";
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		fail("/proc/self/exe: %s", strerror(errno));
	/* A relative name, for LD_PRELOAD takes spaces and colons as separators. */
	if (chdir(request->target))
		fail("%s: %s", request->target, strerror(errno));
	char *env[] = {
		word("TMPDIR=%s", job->memory), word("HOME=%s", job->dir),
		"LD_PRELOAD=./ptrace.so", NULL,
	};
	char *argv[] = {
		"linux", "umid=uml", word("uml_dir=%s/", job->dir),
		"root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
		word("mem=%s", memory_size()),
		/* Quotes: the kernel parts its command line at spaces. */
		word("init=\"%s\"", self), word("lane_init=\"%s\"", self), word("lane_job=\"%s\"", job->dir),
		"con=null", "con0=null,fd:4", "ssl=null", "ssl0=fd:3",
		"quiet", "loglevel=1",
		/* Left out of the boot: the delay loop's calibration, 256 old-style terminals, the
		 * benchmark of RAID checksums, some file systems. README.md has what that saves. */
		"lpj=24383488", "pty.legacy_count=0",
		"initcall_blacklist=raid6_select_algo,init_btrfs_fs,init_zswap,init_jfs_fs,init_xfs_fs",
		NULL,
	};
	place_descriptors(job, channel);
	settle(cpu);
	execve(request->kernel, argv, env);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", request->kernel, strerror(errno));
	_exit(LANE_FAILED);
}
