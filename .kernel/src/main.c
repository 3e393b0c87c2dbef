/* Picks the role of this executable by its name and arguments. */
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
	if (argc >= 2 && !strcmp(argv[1], "initramfs"))
		return initramfs_main(argv + 2);
	if (argc < 9 || strcmp(argv[1], "run")) {
		fprintf(stderr, "usage: lane probe\n"
		                "       lane initramfs NAME=FILE... >OUTPUT\n"
		                "       lane run ROOT uml|smp KERNEL MODULES TARGET PARENT COMMAND [ARG...]\n");
		return LANE_FAILED;
	}
	struct request request = {
		.root = argv[2],
		.smp = !strcmp(argv[3], "smp"),
		.kernel = argv[4],
		.modules = argv[5],
		.target = argv[6],
		.parent = (pid_t)atoi(argv[7]),
		.command = argv + 8,
	};
	return host_main(&request);
}
