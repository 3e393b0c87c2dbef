/* User-Mode Linux: how this kind of guest is started. qemu.c has the other kind. */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

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
	settle(cpu);
	start_ready(job, channel);
	execve(request->kernel, argv, env);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", request->kernel, strerror(errno));
	_exit(LANE_FAILED);
}
