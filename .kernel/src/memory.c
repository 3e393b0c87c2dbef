/* Size of a guest's memory, and the host folder of the file behind it. */
#define _GNU_SOURCE
#include "host.h"

#include <stdlib.h>
#include <sys/statvfs.h>
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

/* /dev/shm comes first, because the kernel keeps writing a file on a disk back to it. */
const char *memory_folder(const char *last_resort)
{
	const char *choices[] = {"/dev/shm", getenv("TMPDIR"), "/tmp", "/var/tmp", last_resort};
	for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
		if (fits(choices[i], memory_bytes()))
			return choices[i];
	fail("no folder for the guest's %s of memory: /dev/shm, TMPDIR, /tmp, /var/tmp and %s are all "
	     "read-only, mounted noexec or too full. Set TMPDIR, or a smaller SCTP_KERNEL_MEMORY.",
	     memory_size(), last_resort);
}
