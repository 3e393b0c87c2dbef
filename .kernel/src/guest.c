/*
 * Pid 1 of a guest that runs one command. The kernel command line hands over the job folder
 * (as the variable lane_job); everything else is read from there.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { OPEN_FILES = 65536, MOST_OPEN_FILES = 1048576 };

static int line = -1;

/* ---- the line to the host ---- */

static void open_line(void)
{
	struct termios raw;
	if (is_smp()) {
		/* Not to wait in the kernel, where this driver spins until the host has read. */
		line = open(smp_line(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (line < 0)
			guest_exit(LANE_FAILED);
		return;
	}
	line = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (line < 0 || tcgetattr(line, &raw))
		guest_exit(LANE_FAILED);
	cfmakeraw(&raw);
	tcsetattr(line, TCSANOW, &raw);
}

static int write_line(const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t put = write(line, bytes, length);
		struct pollfd ready = {.fd = line, .events = POLLOUT};
		if (put < 0 && errno == EAGAIN)
			poll(&ready, 1, -1);
		else if (put < 0 && errno != EINTR)
			return -1;
		if (put > 0) {
			bytes += put;
			length -= (size_t)put;
		}
	}
	return 0;
}

void guest_send(uint8_t type, const void *data, size_t length)
{
	uint8_t bytes[FRAME_MAX + 16];
	size_t packed = frame_pack(bytes, type, data, length);
	if (write_line(bytes, packed))
		guest_exit(LANE_FAILED);
}

/* The host ends the guest as soon as it has the status; this is for when there is no host. */
void guest_exit(int code)
{
	char text[16];
	snprintf(text, sizeof text, "%d\n", code);
	write_file("/proc/exitcode", text);
	if (line >= 0)
		tcdrain(line);
	if (line >= 0 && is_smp())
		sleep(5); /* nothing tells when QEMU has passed on the last frame */
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

void guest_fail(const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	guest_send(FRAME_FAIL, text, strlen(text));
	guest_exit(LANE_FAILED);
}

/* ---- the job ---- */

/* The value of `entry` if it is "key=value", else NULL. */
const char *setting(const char *entry, const char *key)
{
	size_t length = strlen(key);
	return !strncmp(entry, key, length) && entry[length] == '=' ? entry + length + 1 : NULL;
}

static const char *one(const struct config *config, const char *key)
{
	for (char **entry = config->settings; *entry; entry++)
		if (setting(*entry, key))
			return setting(*entry, key);
	return "";
}

static char **read_strings(int job, const char *name)
{
	size_t length;
	char *bytes = slurp(job, name, &length);
	char **strings = bytes ? split_nul(bytes, length) : NULL;
	if (!strings)
		guest_fail("cannot read %s in the job folder: %s", name, strerror(errno));
	return strings;
}

static void read_job(struct config *config)
{
	config->line = line;
	config->kind = is_smp() ? "smp" : "uml";
	config->job = open(getenv("lane_job"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (config->job < 0)
		guest_fail("cannot open the job folder %s: %s", getenv("lane_job"), strerror(errno));
	config->argv = read_strings(config->job, "argv");
	config->env = read_strings(config->job, "env");
	config->settings = read_strings(config->job, "settings");
	config->cwd = one(config, "cwd");
	config->modules = one(config, "modules");
	config->tty_mask = atoi(one(config, "tty"));
	config->umask = (unsigned)strtoul(one(config, "umask"), NULL, 8);
	config->ignored = strtoull(one(config, "ignored"), NULL, 10);
}

/* ---- the kernel ---- */

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		guest_fail("the loopback interface: %s", strerror(errno));
	request.ifr_flags |= IFF_UP;
	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

/* Each "name=value", with dots or slashes in the name, as sysctl(8) takes it. */
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
	/* SCTP always: its sysctls and /proc/net/sctp should be there. It brings IPv6 along, and
	 * to listen it needs hmac, for its cookies. A kernel may have both built in instead. */
	module_load("sctp");
	module_load("hmac");
	for (; *settings; settings++) {
		const char *name = setting(*settings, "module");
		if (name && module_load(name))
			guest_fail("SCTP_KERNEL_MODULES: cannot load %s: %s", name, strerror(errno));
	}
	if (access("/proc/net/sctp", F_OK))
		guest_fail("this guest kernel has no SCTP, nor a module of it that fits");
}

int guest_main(void)
{
	static struct config config;
	if (is_smp())
		smp_find_devices();
	open_line();
	if (is_smp())
		smp_enter_host();
	read_job(&config);
	mounts_set_up(&config);
	modules_set_up(config.modules);
	load_modules(config.settings);
	loopback_up();
	sethostname("sctp-guest", strlen("sctp-guest"));
	raise_limits();
	apply_sysctl(config.settings);
	session_run(&config);
}
