/*
 * Pid 1 of a guest that runs one command. The kernel command line gives the job folder, as the
 * variable lane_job; everything else is read from that folder.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OPEN_FILES = 65536, MOST_OPEN_FILES = 1048576 };

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		guest_fail("cannot configure the loopback interface: %s", strerror(errno));
	request.ifr_flags |= IFF_UP;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/* Applies each "name=value", with dots or slashes in the name, as sysctl(8) does. */
static void apply_sysctl(char **settings)
{
	for (; *settings; settings++) {
		const char *entry = setting(*settings, "sysctl");
		const char *value = entry ? strchr(entry, '=') : NULL;
		if (!entry)
			continue;
		char path[512];
		if (!value)
			guest_fail("SCTP_KERNEL_SYSCTL: %s is not name=value", entry);
		int start = snprintf(path, sizeof path, "/proc/sys/");
		snprintf(path + start, sizeof path - (size_t)start, "%.*s", (int)(value - entry), entry);
		for (char *at = path + start; *at; at++)
			if (*at == '.')
				*at = '/';
		if (write_file(path, value + 1))
			guest_fail("SCTP_KERNEL_SYSCTL: %s: %s", entry, strerror(errno));
	}
}

static void raise_limits(void)
{
	struct rlimit files = {OPEN_FILES, MOST_OPEN_FILES};
	write_file("/proc/sys/fs/file-max", "1048576");
	setrlimit(RLIMIT_NOFILE, &files);
}

static void load_modules(char **settings)
{
	/* SCTP is always loaded, so that its sysctls and /proc/net/sctp exist. It loads IPv6 as well.
	 * A listening socket needs hmac for its cookies. Both may be built into the kernel. */
	module_load("sctp");
	module_load("hmac");
	for (; *settings; settings++) {
		const char *name = setting(*settings, "module");
		if (name && module_load(name))
			guest_fail("SCTP_KERNEL_MODULES: cannot load %s: %s", name, strerror(errno));
	}
	if (access("/proc/net/sctp", F_OK))
		guest_fail("the guest's kernel has no SCTP and no matching module for it");
}

int guest_main(void)
{
	static struct config config;
	if (is_smp())
		smp_find_devices();
	config.channel = channel_open(is_smp());
	if (is_smp())
		smp_enter_host();
	config_read(&config);
	mounts_set_up(&config);
	modules_set_up(config.modules);
	load_modules(config.settings);
	loopback_up();
	if (sethostname("sctp-guest", strlen("sctp-guest")))
		complain("cannot set the name of the guest: %s", strerror(errno));
	raise_limits();
	apply_sysctl(config.settings);
	session_run(&config);
}
