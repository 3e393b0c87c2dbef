/*
 * Frames: one byte of type, one zero byte, two bytes of length (little endian), the payload.
 *
 * Each stream of bytes has a window, so that the channel itself never stays full: a stalled reader
 * of standard output must not block a signal or the exit status.
 */
#include "lane.h"

#include <string.h>
#include <unistd.h>

enum { HEAD = 4 };

size_t frame_pack(uint8_t *to, uint8_t type, const void *data, size_t length)
{
	to[0] = type;
	to[1] = 0;
	to[2] = (uint8_t)length;
	to[3] = (uint8_t)(length >> 8);
	if (length)
		memcpy(to + HEAD, data, length);
	return HEAD + length;
}

/* Reads once into the inbox. Returns the result of read(2). */
ssize_t inbox_fill(struct inbox *box, int fd)
{
	if (box->start) {
		memmove(box->bytes, box->bytes + box->start, box->end - box->start);
		box->end -= box->start;
		box->start = 0;
	}
	ssize_t got = read(fd, box->bytes + box->end, sizeof box->bytes - box->end);
	if (got > 0)
		box->end += (size_t)got;
	return got;
}

/* Takes the next whole frame: 1, or 0 if there is none, or -1 if the bytes are no frame. The
 * frame's data is valid until the next inbox_fill. */
int inbox_next(struct inbox *box, struct frame *frame)
{
	const uint8_t *head = box->bytes + box->start;
	size_t have = box->end - box->start;
	if (have < HEAD)
		return 0;
	frame->type = head[0];
	frame->length = (uint16_t)(head[2] | head[3] << 8);
	if (head[1] || frame->length > FRAME_MAX)
		return -1;
	if (have < HEAD + (size_t)frame->length)
		return 0;
	frame->data = head + HEAD;
	box->start += HEAD + (size_t)frame->length;
	return 1;
}

/* The number at `index` of the payload; 0 if the frame is too short. */
uint32_t frame_u32(const struct frame *frame, int index)
{
	uint32_t value = 0;
	if (frame->length >= (size_t)(index + 1) * sizeof value)
		memcpy(&value, frame->data + (size_t)index * sizeof value, sizeof value);
	return value;
}
