/* State of the one run that a supervisor has, and how it ends. */
#include "host.h"

#include <unistd.h>

struct run run = {
	.out = {.fd = STDOUT_FILENO, .room = FRAME_ROOM_OUT, .shut = FRAME_SHUT_OUT},
	.err = {.fd = STDERR_FILENO, .room = FRAME_ROOM_ERR, .shut = FRAME_SHUT_ERR},
};

void finish(int code)
{
	if (run.ended) /* second call: do not wait for a slow reader */
		run.out.end = run.out.start = run.err.end = run.err.start = 0;
	run.ended = 1;
	run.code = code;
}

void send_size(void)
{
	uint32_t size[2];
	if (run.in.raw && !terminal_size(size))
		sender_put_u32(&run.sender, FRAME_SIZE, size[0], size[1]);
}
