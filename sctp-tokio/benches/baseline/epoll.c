/*
 * A server with epoll, and each association peeled off to a socket of its own.
 *
 *   epoll one|drain|batch PORT
 *
 * one:    one message for each wake-up: epoll_wait, recvmsg, sendmsg
 * drain:  single calls until nothing is left: recvmsg and sendmsg, over and over
 * batch:  recvmmsg and sendmmsg of 32; all but the last message with MSG_MORE, so that they share
 *         packets. A batch that is not full was the last: no call is spent to hear EAGAIN.
 */
#include "common.h"
#include <sys/epoll.h>

enum mode { ONE, DRAIN, BATCHED };

struct peer {
	int fd;
	size_t have; /* of a message that comes in parts */
	char part[MAX_MESSAGE];
};

/* Waits for room, and for nothing else: the client reads whatever happens. */
static void wait_for_room(int fd)
{
	struct pollfd room = { fd, POLLOUT, 0 };
	if (poll(&room, 1, -1) < 0)
		die("poll");
}

static int send_one(int fd, struct msghdr *header)
{
	while (sendmsg(fd, header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno != EAGAIN)
			return -1;
		wait_for_room(fd);
	}
	return 0;
}

/* Sends all, the last one plainly: one with MSG_MORE would stay in the kernel. */
static int send_all(int fd, struct mmsghdr *headers, int count)
{
	int sent = 0;
	while (sent < count - 1) {
		int flags = MSG_MORE | MSG_NOSIGNAL | MSG_DONTWAIT;
		int more = sendmmsg(fd, headers + sent, count - 1 - sent, flags);
		if (more > 0)
			sent += more;
		else if (errno == EAGAIN)
			wait_for_room(fd);
		else
			return -1;
	}
	return count ? send_one(fd, &headers[count - 1].msg_hdr) : 0;
}

/* Receives and answers one message. 0: there was none. -1: the association is over. */
static int echo_one(struct peer *peer)
{
	union control control;
	struct iovec iov = { peer->part + peer->have, MAX_MESSAGE - peer->have };
	struct msghdr header = header_for(&iov, &control);
	ssize_t length = recvmsg(peer->fd, &header, MSG_DONTWAIT);
	if (length < 0)
		return errno == EAGAIN ? 0 : -1;
	if (header.msg_flags & MSG_NOTIFICATION)
		return -1;
	peer->have += length;
	if (!(header.msg_flags & MSG_EOR))
		return 1;
	iov = (struct iovec){ peer->part, peer->have };
	peer->have = 0;
	answer(&header, &control);
	return send_one(peer->fd, &header) ? -1 : 1;
}

/* The same for as many as one call brings. 0: there are no more. */
static int echo_batch(struct peer *peer)
{
	static char slots[BATCH][SLOT];
	static struct mmsghdr headers[BATCH];
	static union control controls[BATCH];
	static struct iovec iovs[BATCH];
	int whole = 0;
	for (int i = 0; i < BATCH; i++) {
		iovs[i] = (struct iovec){ slots[i], MAX_MESSAGE };
		headers[i].msg_hdr = header_for(&iovs[i], &controls[i]);
	}
	int count = recvmmsg(peer->fd, headers, BATCH, MSG_DONTWAIT, NULL);
	if (count < 0)
		return errno == EAGAIN ? 0 : -1;
	for (int i = 0; i < count; i++) {
		struct msghdr *header = &headers[i].msg_hdr;
		size_t length = headers[i].msg_len;
		if (header->msg_flags & MSG_NOTIFICATION)
			return -1;
		if (peer->have || !(header->msg_flags & MSG_EOR)) {
			if (peer->have + length > MAX_MESSAGE)
				return -1;
			memcpy(peer->part + peer->have, slots[i], length);
			length += peer->have;
			peer->have = length;
			if (!(header->msg_flags & MSG_EOR))
				continue;
			memcpy(slots[i], peer->part, length);
			peer->have = 0;
		}
		answer(header, &controls[i]);
		iovs[i].iov_len = length;
		headers[whole++] = headers[i];
	}
	if (send_all(peer->fd, headers, whole))
		return -1;
	return count == BATCH;
}

/* Tells the listener and every socket peeled off it of associations that come and go. */
static void subscribe(int fd)
{
	struct sctp_event event = { SCTP_FUTURE_ASSOC, SCTP_ASSOC_CHANGE, 1 };
	set(fd, SCTP_EVENT, &event, sizeof event);
}

/* Reads one notification of the listener; an association that came up gets its own socket. */
static void accept_one(int listener, int epoll)
{
	struct {
		union sctp_notification event;
		char rest[MAX_MESSAGE];
	} buffer;
	sctp_peeloff_flags_arg_t peel = { .flags = SOCK_CLOEXEC };
	ssize_t length = recv(listener, &buffer, sizeof buffer, MSG_DONTWAIT);
	if (length < (ssize_t)sizeof(struct sctp_assoc_change) ||
	    buffer.event.sn_assoc_change.sac_type != SCTP_ASSOC_CHANGE ||
	    buffer.event.sn_assoc_change.sac_state != SCTP_COMM_UP)
		return;
	peel.p_arg.associd = buffer.event.sn_assoc_change.sac_assoc_id;
	socklen_t size = sizeof peel;
	struct peer *peer = calloc(1, sizeof *peer);
	int fd = getsockopt(listener, IPPROTO_SCTP, SCTP_SOCKOPT_PEELOFF_FLAGS, &peel, &size);
	if (fd < 0 || !peer)
		die("peel-off");
	peer->fd = fd;
	struct epoll_event readable = { EPOLLIN, { .ptr = peer } };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &readable))
		die("epoll_ctl");
}

static void serve(struct peer *peer, enum mode mode)
{
	int more;
	do
		more = mode == BATCHED ? echo_batch(peer) : echo_one(peer);
	while (more > 0 && mode != ONE);
	if (more < 0) {
		close(peer->fd);
		free(peer);
	}
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "one", "drain", "batch" };
	enum mode mode = ONE;
	struct epoll_event events[64], readable = { EPOLLIN, { .ptr = NULL } };
	if (argc != 3)
		return 2;
	while (strcmp(argv[1], names[mode]))
		if (++mode > BATCHED)
			return 2;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = serve_on(atoi(argv[2]));
	subscribe(listener);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &readable))
		die("epoll_ctl");
	for (;;) {
		int count = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				serve(events[i].data.ptr, mode);
			else
				accept_one(listener, epoll);
		}
	}
}
