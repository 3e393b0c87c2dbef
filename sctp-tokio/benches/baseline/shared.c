/*
 * A server with one one-to-many socket for all associations, in batches: what can be had of a
 * socket that many share.
 *
 *   shared batch|epoll PORT
 *
 * recvmmsg of 32, and two sendmmsg: the answers that others to the same association follow with
 * MSG_MORE, then the last one of each association plainly, so that none stays in the kernel.
 *
 * batch:  waits in recvmmsg
 * epoll:  waits in epoll_wait, as whoever has other things to do; edge-triggered, as in tokio
 */
#include "common.h"
#include <sys/epoll.h>

/* Of each association with something to send, the message that comes last. */
struct last {
	sctp_assoc_t assoc;
	int at;
};

/* A message that comes in parts. With the default, no other one's parts come in between, unless the
 * association is gone. */
static char part[MAX_MESSAGE];
static size_t have;
static sctp_assoc_t part_of;

/* Whose answer this is. */
static sctp_assoc_t assoc_of(const union control *control)
{
	struct sctp_sndinfo info;
	memcpy(&info, CMSG_DATA(&control->header), sizeof info);
	return info.snd_assoc_id;
}

/* Sends all; waits for room. A peer that has gone is no failure. */
static void send_all(int fd, struct mmsghdr *headers, int count, int flags)
{
	for (int sent = 0; sent < count;) {
		int more = sendmmsg(fd, headers + sent, count - sent, flags | MSG_NOSIGNAL);
		if (more < 0 && errno != EPIPE && errno != ESHUTDOWN)
			die("sendmmsg");
		sent += more > 0 ? more : 1;
	}
}

/* Puts the message together that a part belongs to, in the slot of its last part. Whether it is
 * whole. */
static int is_whole(int ends, sctp_assoc_t assoc, struct iovec *iov, size_t length)
{
	if (part_of != assoc)
		have = 0;
	part_of = assoc;
	if (have || !ends) {
		if (have + length > MAX_MESSAGE) {
			fputs("shared: too long\n", stderr);
			exit(1);
		}
		memcpy(part + have, iov->iov_base, length);
		length += have;
		have = ends ? 0 : length;
		if (ends)
			memcpy(iov->iov_base, part, length);
	}
	iov->iov_len = length;
	return ends;
}

/* Receives and answers what one call brings. Whether there may be more. */
static int echo_batch(int fd, int flags)
{
	static char slots[BATCH][SLOT];
	static struct mmsghdr headers[BATCH], held[BATCH], plain[BATCH];
	static union control controls[BATCH];
	static struct iovec iovs[BATCH];
	struct last lasts[BATCH];
	int whole = 0, associations = 0, waiting = 0;
	for (int i = 0; i < BATCH; i++) {
		iovs[i] = (struct iovec){ slots[i], MAX_MESSAGE };
		headers[i].msg_hdr = header_for(&iovs[i], &controls[i]);
	}
	int count = recvmmsg(fd, headers, BATCH, flags, NULL);
	if (count < 0 && errno == EAGAIN)
		return 0;
	if (count < 0)
		die("recvmmsg");
	for (int i = 0; i < count; i++) {
		int known = 0;
		int ends = headers[i].msg_hdr.msg_flags & MSG_EOR;
		answer(&headers[i].msg_hdr, &controls[i]);
		sctp_assoc_t assoc = assoc_of(&controls[i]);
		if (!is_whole(ends, assoc, &iovs[i], headers[i].msg_len))
			continue;
		headers[whole] = headers[i];
		while (known < associations && lasts[known].assoc != assoc)
			known++;
		associations += known == associations;
		lasts[known] = (struct last){ assoc, whole++ };
	}
	for (int i = 0; i < whole; i++) {
		int is_last = 0;
		for (int known = 0; known < associations; known++)
			is_last |= lasts[known].at == i;
		if (is_last)
			plain[i - waiting] = headers[i];
		else
			held[waiting++] = headers[i];
	}
	send_all(fd, held, waiting, MSG_MORE);
	send_all(fd, plain, whole - waiting, 0);
	return count == BATCH;
}

int main(int argc, char **argv)
{
	struct epoll_event readable = { EPOLLIN | EPOLLOUT | EPOLLET, { .ptr = NULL } };
	int waits = argc == 3 && !strcmp(argv[1], "batch");
	if (!waits && (argc != 3 || strcmp(argv[1], "epoll")))
		return 2;
	int fd = serve_on(atoi(argv[2])), epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!waits && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &readable))
		die("epoll_ctl");
	for (;;) {
		if (!waits && epoll_wait(epoll, &readable, 1, -1) < 0)
			die("epoll_wait");
		while (echo_batch(fd, waits ? MSG_WAITFORONE : MSG_DONTWAIT))
			;
	}
}
