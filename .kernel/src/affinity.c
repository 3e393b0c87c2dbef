/* Choice of the one processor that a UML guest runs on. */
#define _GNU_SOURCE
#include "host.h"

#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Claims a processor by an abstract socket address: a lock that leaves no file and is released
 * when its holder exits. */
static int try_claim(int cpu, int round)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "sctp-kernel-cpu-%d-%d", cpu, round);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (!bind(fd, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)))
		return fd;
	close(fd);
	return -1;
}

/*
 * Claims the allowed processor with the fewest guests, until this process exits. UML is several
 * processes that take turns by ptrace, and a switch on one processor is 3 to 5 times cheaper than
 * a switch across two.
 */
int claim_cpu(void)
{
	cpu_set_t allowed;
	if (sched_getaffinity(0, sizeof allowed, &allowed))
		return -1;
	int start = (int)((unsigned)getpid() % CPU_SETSIZE);
	for (int round = 0; round < 64; round++)
		for (int i = 0; i < CPU_SETSIZE; i++) {
			int cpu = (start + i) % CPU_SETSIZE;
			if (CPU_ISSET(cpu, &allowed) && try_claim(cpu, round) >= 0)
				return cpu;
		}
	return -1;
}
