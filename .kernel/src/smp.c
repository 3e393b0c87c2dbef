/*
 * A guest in QEMU starts in an initramfs that holds this executable and the modules of the 9p
 * file system. What it does here makes it like a guest of UML: the host's files as its root,
 * and a line to the supervisor.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int is_smp(void)
{
	const char *kind = getenv("lane_kind");
	return kind && !strcmp(kind, "smp");
}

void smp_find_devices(void)
{
	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
}

/* The virtio port. Its name has a number that other devices may change, and it is made by a
 * kernel thread, so it may come a moment after this process. */
const char *smp_line(void)
{
	static char path[300];
	for (int attempt = 0; attempt < 1000 && !*path; attempt++) {
		DIR *dev = opendir("/dev");
		for (struct dirent *entry; dev && (entry = readdir(dev));)
			if (!strncmp(entry->d_name, "vport", strlen("vport")))
				snprintf(path, sizeof path, "/dev/%s", entry->d_name);
		if (dev)
			closedir(dev);
		if (!*path)
			usleep(10 * 1000);
	}
	return path;
}

/* Pages are cached while a file is open, so that programs run; names and sizes are not, so
 * that what the host writes is seen. */
int smp_mount(const char *tag, const char *path, unsigned long flags)
{
	return mount(tag, path, "9p", flags, "trans=virtio,version=9p2000.L,msize=262144,cache=mmap");
}

void smp_enter_host(void)
{
	/* From memory and in this order: then the kernel need not ask for it, one by one. */
	if (module_load("crc32c_intel") || module_load("crc32c_generic") || module_load("sctp"))
		complain("cannot load sctp: %s", strerror(errno));
	if (module_load("9pnet_virtio") || module_load("9p"))
		guest_fail("cannot load the modules of the 9p file system: %s", strerror(errno));
	mkdir("/host", 0755);
	if (smp_mount("root", "/host", MS_RDONLY))
		guest_fail("cannot mount the host's files: %s", strerror(errno));
	if (mount("/dev", "/host/dev", NULL, MS_MOVE, NULL) || chdir("/host") ||
	    mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))
		guest_fail("cannot make the host's files the root: %s", strerror(errno));
}
