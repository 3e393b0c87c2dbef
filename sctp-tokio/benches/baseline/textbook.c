/*
 * The textbook's server: one one-to-many socket, blocking, one message in and one message out.
 *
 *   textbook PORT
 */
#include "common.h"

int main(int argc, char **argv)
{
	static char buffer[MAX_MESSAGE];
	size_t have = 0;
	int fd = argc == 2 ? serve_on(atoi(argv[1])) : -1;
	if (fd < 0)
		return 2;
	for (;;) {
		union control control;
		struct iovec iov = { buffer + have, sizeof buffer - have };
		struct msghdr header = header_for(&iov, &control);
		ssize_t length = recvmsg(fd, &header, 0);
		if (length < 0)
			die("recvmsg");
		have += length;
		/* One message at a time is the default: no other association's comes in between. */
		if (!(header.msg_flags & MSG_EOR))
			continue;
		iov = (struct iovec){ buffer, have };
		have = 0;
		answer(&header, &control);
		/* A peer that has gone is no failure. */
		if (sendmsg(fd, &header, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ESHUTDOWN)
			die("sendmsg");
	}
}
