/*
 * The load: the same program for every server, so that only the server differs.
 *
 *   client PORT ASSOCIATIONS IN_FLIGHT SIZE MILLISECONDS [sctp|tcp [PATIENCE]]
 *
 * It keeps IN_FLIGHT messages under way on each association, and answers each echo with the next
 * message. It works in batches, so that as much as possible of what is measured is the server's.
 *
 *   connects, warms up, waits for every echo    prints "ready"
 *   reads a line, runs for the time given, at
 *   least until all have had their turn         prints messages, nanoseconds, all messages,
 *                                               p50, p99, p99.9, nanoseconds of connecting
 *   reads a line, ends its associations
 *
 * "all messages" are also those that were still under way at the end of the time. The percentiles
 * are nanoseconds from a send to its echo; the clock is read once for each batch. With none in
 * flight the associations just stay idle. Over TCP, a message has its length, four bytes, before
 * it. It never waits to send while it could receive: no server can be stuck on it.
 *
 * Every byte of every echo is looked at. A message begins with the number of its association and
 * its own, and the rest is no one byte repeated: an echo that is changed, cut, missing, doubled,
 * out of order or of another association ends the client with status 1 and the reason. One that
 * does not come ends it by SIGALRM, after PATIENCE seconds (60) in all.
 */
#include "common.h"
#include <limits.h>
#include <sys/epoll.h>
#include <time.h>

struct peer {
	int fd;
	long long *times; /* when each message under way was sent, a ring */
	int newest, oldest;
	size_t part; /* what TCP took of a message so far */
	int owed;    /* messages to send */
	int flying;  /* messages without their echo */
	int waiting; /* for room */
	size_t have; /* of an echo that comes in parts */
	unsigned sent, heard; /* messages so far, and echoes */
};

/* What a message begins with, as far as it is long enough. */
struct stamp {
	unsigned peer, number;
};

static char payload[MAX_MESSAGE], slots[BATCH][SLOT];
static struct peer *peers;
static int peer_count, in_flight, epoll, is_tcp;
static size_t size;
static long echoes;
static long long stopped; /* when the last run's time was over */

static long long now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void wrong(const char *what)
{
	fprintf(stderr, "client: %s\n", what);
	exit(1);
}

#include "latency.h"
#include "tcp.h"

/* Holds a piece of an echo against the message that is due. */
static void check(const struct peer *peer, const char *piece, size_t length)
{
	struct stamp stamp = { peer - peers, peer->heard };
	size_t at = peer->have;
	if (!peer->flying)
		wrong("an echo of nothing");
	if (at + length > size)
		wrong("an echo that is too long");
	for (; length && at < sizeof stamp; at++, piece++, length--)
		if (*piece != ((char *)&stamp)[at])
			wrong("an echo of another message than is due");
	if (memcmp(piece, payload + at, length))
		wrong("an echo with other content");
}

/* Sends what is owed, as far as there is room: a batch with MSG_MORE, and the last one plainly. */
static void send_owed(struct peer *peer)
{
	static struct mmsghdr headers[BATCH];
	static struct iovec parts[BATCH][2];
	static struct stamp stamps[BATCH];
	const size_t head = size < sizeof *stamps ? size : sizeof *stamps;
	if (is_tcp)
		return send_owed_over_tcp(peer);
	long long time = now();
	while (peer->owed) {
		int count = peer->owed - 1 < BATCH ? peer->owed - 1 : BATCH;
		for (int i = 0; i < count || i < 1; i++) {
			stamps[i] = (struct stamp){ peer - peers, peer->sent + i };
			parts[i][0] = (struct iovec){ &stamps[i], head };
			parts[i][1] = (struct iovec){ payload + head, size - head };
			headers[i].msg_hdr = (struct msghdr){ .msg_iov = parts[i], .msg_iovlen = 2 };
		}
		int sent = count ? sendmmsg(peer->fd, headers, count, MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL)
				 : sendmsg(peer->fd, &headers[0].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 1;
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			die("client: send");
		peer->owed -= sent;
		peer->sent += sent;
		note_sent(peer, sent, time);
	}
}

/* Receives as many echoes as one call brings. */
static void receive(struct peer *peer, int flags, int stopping)
{
	static struct mmsghdr headers[BATCH];
	static struct iovec iovs[BATCH];
	if (is_tcp)
		return receive_over_tcp(peer, flags, stopping);
	for (int i = 0; i < BATCH; i++) {
		iovs[i] = (struct iovec){ slots[i], MAX_MESSAGE };
		headers[i].msg_hdr = (struct msghdr){ .msg_iov = &iovs[i], .msg_iovlen = 1 };
	}
	int count = recvmmsg(peer->fd, headers, BATCH, flags, NULL);
	if (count < 0 && errno != EAGAIN)
		die("client: recvmmsg");
	long long time = now();
	for (int i = 0; i < count; i++) {
		if (!headers[i].msg_len)
			wrong("the server ended the association");
		check(peer, slots[i], headers[i].msg_len);
		peer->have += headers[i].msg_len;
		if (!(headers[i].msg_hdr.msg_flags & MSG_EOR))
			continue;
		if (peer->have != size)
			wrong("an echo that is too short");
		peer->have = 0;
		peer->heard++;
		note_echo(peer, time, stopping);
	}
}

/* Has epoll look for room if there is something to send. */
static void watch(struct peer *peer)
{
	int waiting = peer->owed > 0;
	struct epoll_event event = { EPOLLIN | (waiting ? EPOLLOUT : 0), { .ptr = peer } };
	if (waiting == peer->waiting)
		return;
	peer->waiting = waiting;
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, peer->fd, &event))
		die("client: epoll_ctl");
}

/* One association: the receive itself waits, unless there is also something to send. */
static void turn_one(int stopping)
{
	struct peer *peer = &peers[0];
	int flags = MSG_WAITFORONE;
	if (peer->owed) {
		struct pollfd either = { peer->fd, POLLIN | POLLOUT, 0 };
		poll(&either, 1, -1);
		flags = MSG_DONTWAIT;
	}
	receive(peer, flags, stopping);
	send_owed(peer);
}

static void turn_many(int stopping)
{
	struct epoll_event events[64];
	int count = epoll_wait(epoll, events, 64, -1);
	for (int i = 0; i < count; i++) {
		struct peer *peer = events[i].data.ptr;
		receive(peer, MSG_DONTWAIT, stopping);
		send_owed(peer);
		watch(peer);
	}
}

static void turn(int stopping)
{
	if (peer_count == 1)
		turn_one(stopping);
	else
		turn_many(stopping);
}

static int busy(void)
{
	for (int i = 0; i < peer_count; i++)
		if (peers[i].flying || peers[i].owed)
			return 1;
	return 0;
}

/* Runs until the time is over and so many echoes have come, or as many as the limit; then waits for
 * those that are under way. Returns how many came before that. */
static long run(long long deadline, long at_least, long limit)
{
	long before = echoes, during;
	for (int i = 0; i < peer_count; i++) {
		peers[i].owed = in_flight;
		send_owed(&peers[i]);
		if (peer_count > 1)
			watch(&peers[i]);
	}
	while (echoes - before < limit && (now() < deadline || echoes - before < at_least))
		turn(0);
	stopped = now();
	during = echoes - before;
	for (int i = 0; i < peer_count; i++) {
		/* What went out with MSG_MORE still needs its plain send. */
		peers[i].owed = is_tcp ? peers[i].part > 0 : peers[i].owed > 0;
		if (peer_count > 1)
			watch(&peers[i]);
	}
	while (busy())
		turn(1);
	return during;
}

static void connect_all(int port)
{
	struct sockaddr_in address = loopback(port);
	peers = calloc(peer_count, sizeof *peers);
	epoll = epoll_create1(0);
	for (int i = 0; i < peer_count; i++) {
		struct epoll_event event = { EPOLLIN, { .ptr = &peers[i] } };
		peers[i].times = calloc(in_flight + 1, sizeof *peers[i].times);
		peers[i].fd = is_tcp ? open_tcp_socket() : open_socket(SOCK_STREAM);
		if (!peers[i].times)
			die("client: calloc");
		if (connect(peers[i].fd, (struct sockaddr *)&address, sizeof address))
			die("client: connect");
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, peers[i].fd, &event))
			die("client: epoll_ctl");
	}
}

int main(int argc, char **argv)
{
	char line[16];
	if (argc < 6)
		return 2;
	peer_count = atoi(argv[2]);
	in_flight = atoi(argv[3]);
	size = atoi(argv[4]);
	long milliseconds = atol(argv[5]);
	for (int i = 0; i < MAX_MESSAGE; i++)
		payload[i] = i * 2654435761u >> 24;
	is_tcp = argc > 6 && !strcmp(argv[6], "tcp");
	alarm(argc > 7 ? atoi(argv[7]) : 60);
	long long connecting = now();
	connect_all(atoi(argv[1]));
	connecting = now() - connecting;
	if (in_flight)
		run(now() + 100000000LL, 0, 4096);
	forget_latencies();
	puts("ready");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		return 1;
	long before = echoes;
	long long begin = now();
	long during = 0;
	stopped = begin;
	if (in_flight)
		during = run(begin + milliseconds * 1000000LL, (long)in_flight * peer_count, LONG_MAX);
	printf("%ld %lld %ld %lld %lld %lld %lld\n", during, stopped - begin, echoes - before,
	       percentile(0.5), percentile(0.99), percentile(0.999), connecting);
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		return 1;
	return 0;
}
