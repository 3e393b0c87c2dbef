/*
 * The guest's files: those of the host, read-only except for the folders that the job names. UML's
 * hostfs mounts any folder of the host. QEMU has a device for each folder, tagged rw0, rw1, ...
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes the mount point if it is missing, on a file system of the guest. */
static void make_folders(const char *path)
{
	char part[4096];
	size_t length = strlen(path);
	if (length >= sizeof part || !access(path, F_OK))
		return;
	memcpy(part, path, length + 1);
	for (size_t i = 1; i <= length; i++)
		if (part[i] == '/' || !part[i]) {
			char saved = part[i];
			part[i] = 0;
			mkdir(part, 0755);
			part[i] = saved;
		}
}

static void mount_own(const char *type, const char *path, const char *options)
{
	make_folders(path);
	/* EBUSY: mounted by the kernel, as /dev is. */
	if (mount(type, path, type, 0, options) && errno != EBUSY)
		guest_fail("cannot mount %s: %s", path, strerror(errno));
}

static void mount_writable(const char *path, int number)
{
	char tag[16];
	make_folders(path);
	snprintf(tag, sizeof tag, "rw%d", number);
	if (is_smp() ? smp_mount(tag, path, 0) : mount("none", path, "hostfs", 0, path))
		guest_fail("cannot mount %s: %s", path, strerror(errno));
}

void mounts_set_up(const struct config *config)
{
	int number = 0;
	mount_own("proc", "/proc", NULL);
	mount_own("sysfs", "/sys", NULL);
	mount_own("devtmpfs", "/dev", NULL);
	mount_own("devpts", "/dev/pts", "ptmxmode=666");
	mount_own("tmpfs", "/dev/shm", "mode=1777");
	mount_own("tmpfs", "/run", "mode=755");
	mkdir("/run/lock", 01777);
	mkdir("/run/sctp-kernel", 0755);
	if (symlink("/proc/self/fd", "/dev/fd") || symlink("/proc/self/fd/0", "/dev/stdin") ||
	    symlink("/proc/self/fd/1", "/dev/stdout") || symlink("/proc/self/fd/2", "/dev/stderr"))
		guest_fail("cannot make /dev/fd: %s", strerror(errno));
	for (char **entry = config->settings; *entry; entry++)
		if (setting(*entry, "writable"))
			mount_writable(setting(*entry, "writable"), number++);
}
