/*
 * The guest's end of the channel to the supervisor, and the guest's two ways to end: with a
 * status, or with a message about why it cannot go on.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

static int channel = -1;
static int is_virtio;

/* Path of the virtio port. Its name contains a number that other devices may change, and a
 * kernel thread makes it, possibly after this process has started. */
static const char *find_virtio_port(void)
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

int channel_open(int virtio)
{
	struct termios raw;
	is_virtio = virtio;
	if (virtio) {
		/* Non-blocking: a blocked write spins in this driver until the host has read. */
		const char *port = find_virtio_port();
		/* The file is there before its driver is ready. */
		for (int attempt = 0; attempt < 500 && channel < 0; attempt++) {
			channel = open(port, O_RDWR | O_CLOEXEC | O_NONBLOCK);
			if (channel < 0)
				usleep(2 * 1000);
		}
		if (channel < 0)
			guest_exit(LANE_FAILED);
		return channel;
	}
	channel = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (channel < 0 || tcgetattr(channel, &raw))
		guest_exit(LANE_FAILED);
	cfmakeraw(&raw);
	tcsetattr(channel, TCSANOW, &raw);
	return channel;
}

static int write_channel(const uint8_t *bytes, size_t length)
{
	while (length) {
		ssize_t put = write(channel, bytes, length);
		struct pollfd ready = {.fd = channel, .events = POLLOUT};
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
	if (write_channel(bytes, packed))
		guest_exit(LANE_FAILED);
}

/* The host ends the guest as soon as it has the status. This is for a guest without a host. */
void guest_exit(int code)
{
	char text[16];
	snprintf(text, sizeof text, "%d\n", code);
	write_file("/proc/exitcode", text);
	if (channel >= 0)
		tcdrain(channel);
	if (channel >= 0 && is_virtio)
		sleep(5); /* QEMU does not report when it has passed on the last frame */
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
