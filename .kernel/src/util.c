/* Helpers for both the host and the guest. */
#define _GNU_SOURCE
#include "lane.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void complain(const char *format, ...)
{
	char text[2048];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	dprintf(STDERR_FILENO, ".kernel/run: %s\n", text);
}

void fail(const char *format, ...)
{
	char text[2048];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	complain("%s", text);
	exit(LANE_FAILED);
}

uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads a whole file and appends a NUL byte. NULL on failure. */
char *slurp(int dir, const char *name, size_t *length)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct stat info;
	if (fd < 0 || fstat(fd, &info))
		return NULL;
	size_t size = (size_t)info.st_size, have = 0;
	char *bytes = malloc(size + 1);
	while (bytes && have < size) {
		ssize_t got = read(fd, bytes + have, size - have);
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	close(fd);
	if (bytes)
		bytes[have] = 0;
	*length = have;
	return bytes;
}

/* Splits `bytes` into its NUL-terminated strings, as a NULL-terminated array. */
char **split_nul(char *bytes, size_t length)
{
	size_t count = 0;
	for (size_t i = 0; i < length; i++)
		count += !bytes[i];
	char **strings = calloc(count + 1, sizeof *strings);
	if (!strings)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		strings[i] = bytes;
		bytes += strlen(bytes) + 1;
	}
	return strings;
}

int write_all(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;
	while (length) {
		ssize_t put = write(fd, at, length);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		at += put;
		length -= (size_t)put;
	}
	return 0;
}

/* Writes `text` to an existing file. 0, or -1 with errno set. */
int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int failed = fd < 0 || write(fd, text, strlen(text)) < 0;
	if (fd >= 0)
		close(fd);
	return failed ? -1 : 0;
}

/* True if `path` is `folder` or inside it; both absolute and resolved. */
int is_under(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	if (length == 1)
		return 1;
	return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info, (void)kind, (void)where;
	remove(path);
	return 0;
}

void remove_tree(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
