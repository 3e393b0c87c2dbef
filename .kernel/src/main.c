/* Which of its roles this executable plays. */
#include "lane.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Asking for an SCTP socket makes the kernel load the module if it may; an SCTP that was
 * loaded already shows itself in /proc/net/sctp, where `run` looks first. */
static int probe_main(void)
{
	return socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP) < 0;
}

int main(int argc, char **argv)
{
	const char *name = argc ? strrchr(argv[0], '/') : NULL;
	if (name && !strcmp(name, "/modprobe"))
		return modprobe_main(argc, argv);
	/* A container's first process is pid 1 too, but has no such variable. */
	if (getpid() == 1 && getenv("lane_job"))
		return guest_main();
	if (argc == 2 && !strcmp(argv[1], "probe"))
		return probe_main();
	if (argc < 8 || strcmp(argv[1], "run")) {
		fprintf(stderr, "usage: lane probe\n"
		                "       lane run ROOT KERNEL MODULES TARGET PARENT COMMAND [ARG...]\n");
		return LANE_FAILED;
	}
	struct request request = {
		.root = argv[2],
		.kernel = argv[3],
		.modules = argv[4],
		.target = argv[5],
		.parent = (pid_t)atoi(argv[6]),
		.command = argv + 7,
	};
	return host_main(&request);
}
