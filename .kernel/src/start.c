/* Setup common to both kinds of guest, before the kernel starts. */
#define _GNU_SOURCE
#include "host.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/close_range.h has it since 5.11. musl has neither this nor the function. */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* Arranges the descriptors that the guest's command line names; all others close on exec. */
static void place_descriptors(const struct job *job, int channel)
{
	int console = openat(job->fd, "console", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Duplicates above the numbers that are about to be overwritten. */
	channel = fcntl(channel, F_DUPFD_CLOEXEC, 16);
	console = fcntl(console, F_DUPFD_CLOEXEC, 16);
	null = fcntl(null, F_DUPFD_CLOEXEC, 16);
	dup2(null, STDIN_FILENO);
	dup2(console, STDOUT_FILENO);
	dup2(console, STDERR_FILENO);
	dup2(channel, CHANNEL_FD);
	dup2(console, CONSOLE_FD);
	syscall(SYS_close_range, CONSOLE_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

void start_ready(const struct job *job, int channel)
{
	place_descriptors(job, channel);
	/* Files that the guest opens on the host's file systems count as files of this process. */
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

/* Formats one word of a command line or an environment. */
char *word(const char *format, ...)
{
	char *text;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		fail("out of memory");
	va_end(args);
	return text;
}
