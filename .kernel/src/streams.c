/*
 * The host's side of the standard streams. The guest does not get the caller's descriptors: UML
 * would make them non-blocking for all processes that share them, such as the caller's shell.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- to the guest ---- */

/* Queues a frame. The caller checks for room before it sends data. */
void sender_put(struct sender *sender, uint8_t type, const void *data, size_t length)
{
	if (sender->start && sizeof sender->bytes - sender->end < length + 16) {
		memmove(sender->bytes, sender->bytes + sender->start, sender->end - sender->start);
		sender->end -= sender->start;
		sender->start = 0;
	}
	if (sizeof sender->bytes - sender->end < length + 16)
		return; /* the guest does not read at all; the time limit ends it */
	sender->end += frame_pack(sender->bytes + sender->end, type, data, length);
	sender_flush(sender);
}

void sender_put_u32(struct sender *sender, uint8_t type, uint32_t a, uint32_t b)
{
	uint32_t values[] = {a, b};
	sender_put(sender, type, values, sizeof values);
}

/* Writes as much as the channel takes now; -1 if the channel is closed. */
int sender_flush(struct sender *sender)
{
	while (sender->start < sender->end) {
		ssize_t put = send(sender->fd, sender->bytes + sender->start, sender->end - sender->start,
		                   MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		sender->start += (size_t)put;
	}
	sender->start = sender->end = 0;
	return 0;
}

/* ---- standard output and error ---- */

/* Stores a frame's bytes until the stream takes them; -1 if the guest exceeded its window. */
int outlet_put(struct outlet *outlet, const struct frame *frame)
{
	if (outlet->closed)
		return 0;
	if (sizeof outlet->bytes - (outlet->end - outlet->start) < frame->length)
		return -1;
	if (sizeof outlet->bytes - outlet->end < frame->length) {
		memmove(outlet->bytes, outlet->bytes + outlet->start, outlet->end - outlet->start);
		outlet->end -= outlet->start;
		outlet->start = 0;
	}
	memcpy(outlet->bytes + outlet->end, frame->data, frame->length);
	outlet->end += frame->length;
	return 0;
}

/* Called when poll reports the stream writable, so that writing a page does not block. */
void outlet_flush(struct outlet *outlet, struct sender *sender)
{
	size_t length = outlet->end - outlet->start;
	ssize_t put = write(outlet->fd, outlet->bytes + outlet->start, length < 4096 ? length : 4096);
	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (put < 0) {
		outlet->closed = 1;
		outlet->start = outlet->end = 0;
		sender_put(sender, outlet->shut, NULL, 0);
		return;
	}
	outlet->start += (size_t)put;
	outlet->written += (uint32_t)put;
	if (outlet->start == outlet->end)
		outlet->start = outlet->end = 0;
	/* A quarter of the window: few frames, and the guest never waits. */
	if (outlet->written >= OUT_WINDOW / 4) {
		sender_put_u32(sender, outlet->room, outlet->written, 0);
		outlet->written = 0;
	}
}

/* ---- standard input ---- */

int inlet_wants(const struct inlet *inlet, const struct sender *sender)
{
	return inlet->open && inlet->outstanding < IN_WINDOW && sender->end - sender->start < 4096;
}

static int send_chunk(struct inlet *inlet, struct sender *sender, const struct job *job,
                      const char *bytes, size_t length)
{
	char name[32];
	snprintf(name, sizeof name, "in.%u", inlet->number);
	int fd = openat(job->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write_all(fd, bytes, length)) {
		complain("standard input: %s/%s: %s", job->dir, name, strerror(errno));
		return -1;
	}
	close(fd);
	sender_put_u32(sender, FRAME_CHUNK, inlet->number++, (uint32_t)length);
	return 0;
}

/* Detects Ctrl-] three times within a second, which ends a guest that ignores Ctrl-C. */
static int escapes(struct inlet *inlet, const char *bytes, ssize_t length)
{
	for (ssize_t i = 0; inlet->raw && i < length; i++) {
		if (bytes[i] != 0x1d)
			continue;
		inlet->escape[2] = inlet->escape[1];
		inlet->escape[1] = inlet->escape[0];
		inlet->escape[0] = now_ms();
		if (inlet->escape[2] && inlet->escape[0] - inlet->escape[2] < 1000)
			return 1;
	}
	return 0;
}

/* Passes input on: 0, or -1 at its end, or 1 if the user ends the run. */
int inlet_read(struct inlet *inlet, struct sender *sender, const struct job *job)
{
	static char bytes[CHUNK_MAX];
	ssize_t got = read(STDIN_FILENO, bytes, inlet->raw ? INLINE_MAX : sizeof bytes);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	int broken = got <= 0;
	if (!broken && got > INLINE_MAX)
		broken = send_chunk(inlet, sender, job, bytes, (size_t)got);
	else if (!broken)
		sender_put(sender, FRAME_IN, bytes, (size_t)got);
	if (!broken) {
		inlet->outstanding += (size_t)got;
		return escapes(inlet, bytes, got);
	}
	inlet->open = 0;
	sender_put(sender, FRAME_EOF, NULL, 0);
	return -1;
}

/* Handles a report: the guest took `bytes` and has read all chunk files below `files`. */
void inlet_took(struct inlet *inlet, const struct job *job, uint32_t bytes, uint32_t files)
{
	inlet->outstanding -= bytes < inlet->outstanding ? bytes : inlet->outstanding;
	for (; inlet->removed < files && inlet->removed < inlet->number; inlet->removed++) {
		char name[32];
		snprintf(name, sizeof name, "in.%u", inlet->removed);
		unlinkat(job->fd, name, 0);
	}
}
