/*
 * Steps that make a QEMU guest like a UML guest. It starts in an initramfs with this executable
 * and the modules of the 9p file system; the host's files become its root.
 */
#define _GNU_SOURCE
#include "guest.h"

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
	/* Built into most kernels. Without them there is no port, and its opening fails. */
	const char *drivers[] = {"virtio_mmio", "virtio_pci", "virtio_console"};
	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		module_load(drivers[i]);
}

/* Caches pages while a file is open, which executing a program needs. Names and sizes are not
 * cached, so that changes by the host are visible. */
int smp_mount(const char *tag, const char *path, unsigned long flags)
{
	return mount(tag, path, "9p", flags, "trans=virtio,version=9p2000.L,msize=262144,cache=mmap");
}

void smp_enter_host(void)
{
	/* Loaded from the initramfs in this order, so that the kernel does not request them singly. */
	module_load("crc32c_intel"); /* not on every processor */
	module_load("crc32c_generic"); /* built into newer kernels */
	if (module_load("sctp"))
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
