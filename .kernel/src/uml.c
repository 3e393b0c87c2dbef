/* Starts a guest of the kind UML, User-Mode Linux. */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

/* With randomised addresses UML finds a gap between itself and its memory, and loses that much
 * memory. */
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
	/* LD_PRELOAD separates names by spaces and colons, so the name is a relative one. */
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
		/* Quoted, because the kernel splits its command line at spaces. */
		word("init=\"%s\"", self), word("lane_init=\"%s\"", self), word("lane_job=\"%s\"", job->dir),
		"con=null", "con0=null,fd:4", "ssl=null", "ssl0=fd:3",
		"quiet", "loglevel=1",
		/* Parts of the boot that are left out: calibration of the delay loop, 256 old-style
		 * terminals, the benchmark of RAID checksums, some file systems. For the time this
		 * saves see README.md. */
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
