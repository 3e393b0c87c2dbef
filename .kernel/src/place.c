/* Where a guest runs: the host folder behind its memory, and a UML guest's one processor. */
#define _GNU_SOURCE
#include "host.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

const char *memory_size(void)
{
	const char *size = getenv("SCTP_KERNEL_MEMORY");
	return size && *size ? size : "512M";
}

static unsigned long long memory_bytes(void)
{
	char *unit;
	unsigned long long size = strtoull(memory_size(), &unit, 10);
	if (*unit == 'K' || *unit == 'k')
		return size << 10;
	if (*unit == 'M' || *unit == 'm')
		return size << 20;
	if (*unit == 'G' || *unit == 'g')
		return size << 30;
	return size;
}

/* UML maps its memory file executable, and dies of SIGBUS when the file system is full. */
static int fits(const char *folder, unsigned long long bytes)
{
	struct statvfs info;
	if (!folder || !*folder || access(folder, W_OK | X_OK) || statvfs(folder, &info))
		return 0;
	return !(info.f_flag & ST_NOEXEC) && (unsigned long long)info.f_bavail * info.f_frsize >= bytes;
}

/* /dev/shm first: a file on a disk would be written back to it all the time. */
const char *memory_folder(const char *last_resort)
{
	const char *choices[] = {"/dev/shm", getenv("TMPDIR"), "/tmp", "/var/tmp", last_resort};
	for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
		if (fits(choices[i], memory_bytes()))
			return choices[i];
	fail("no folder for the guest's %s of memory: /dev/shm, TMPDIR, /tmp, /var/tmp and %s are all "
	     "read only, mounted noexec or too full. Set TMPDIR, or a smaller SCTP_KERNEL_MEMORY.",
	     memory_size(), last_resort);
}

/* An abstract socket address is a lock that ends with its holder and leaves no file. */
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
 * The allowed processor with the fewest guests, counted by claims that are held as long as
 * this process lives. UML is several processes that take turns by ptrace: on one processor a
 * switch is 3 to 5 times cheaper than across two.
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
