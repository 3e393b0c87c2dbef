/*
 * The client's messages over TCP: each has its length before it, four bytes, the highest first.
 *
 * All messages are the same, so what is to be sent is a piece of one long row of them.
 */
#include <netinet/tcp.h>

enum { FRAME = MAX_MESSAGE + 4 };

static char frames[BATCH * FRAME], stream[BATCH * FRAME];

static int open_tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	uint32_t length = htonl(size);
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
		die("client: socket");
	ask_for_room(fd);
	for (int i = 0; i < BATCH; i++) {
		memcpy(frames + i * (size + 4), &length, 4);
		memcpy(frames + i * (size + 4) + 4, payload, size);
	}
	return fd;
}

static void send_owed_over_tcp(struct peer *peer)
{
	const size_t frame = size + 4;
	while (peer->owed) {
		size_t count = peer->owed < BATCH ? peer->owed : BATCH;
		ssize_t sent = send(peer->fd, frames + peer->part, count * frame - peer->part,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			die("client: send");
		size_t whole = (peer->part + sent) / frame;
		peer->part = (peer->part + sent) % frame;
		peer->owed -= whole;
		note_sent(peer, whole, now());
	}
}

static void receive_over_tcp(struct peer *peer, int flags, int stopping)
{
	const size_t frame = size + 4;
	ssize_t length = recv(peer->fd, stream, sizeof stream, flags & MSG_DONTWAIT);
	if (length < 0 && errno == EAGAIN)
		return;
	if (length <= 0)
		die("client: recv");
	long long time = now();
	/* The row that was sent, from the place in it where this piece begins. */
	for (size_t at = 0, run; at < (size_t)length; at += run) {
		size_t from = (peer->have + at) % frame;
		run = (size_t)length - at < BATCH * frame - from ? length - at : BATCH * frame - from;
		if (memcmp(stream + at, frames + from, run))
			wrong("an echo with other content");
	}
	peer->have += length;
	for (; peer->have >= frame; peer->have -= frame) {
		if (!peer->flying)
			wrong("an echo of nothing");
		note_echo(peer, time, stopping);
	}
}
