/*
 * The load: the same program for every server, so that only the server differs.
 *
 *   client PORT ASSOCIATIONS IN_FLIGHT SIZE MILLISECONDS [sctp|tcp [PATIENCE]]
 *
 * It keeps IN_FLIGHT messages under way on each association, and answers each echo with the next
 * message. It works in batches, so that as much as possible of what is measured is the server's.
 *
 *   connects, warms up, waits for every echo    prints "ready"
 *   reads a line, runs for the time given       prints messages, nanoseconds, all messages,
 *                                               p50, p99, p99.9, nanoseconds of connecting
 *   reads a line, ends its associations
 *
 * "all messages" are also those that were still under way at the end of the time. The percentiles
 * are nanoseconds from a send to its echo; the clock is read once for each batch. With none in
 * flight the associations just stay idle. Over TCP, a message has its length, four bytes, before
 * it. It never waits to send while it could receive: no server can be stuck on it. One that stalls
 * for PATIENCE seconds (60) ends in SIGALRM.
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

#include "latency.h"
#include "tcp.h"

/* Sends what is owed, as far as there is room: a batch with MSG_MORE, and the last one plainly. */
static void send_owed(struct peer *peer)
{
	static struct mmsghdr headers[BATCH];
	static struct iovec iov = { payload, 0 };
	if (is_tcp)
		return send_owed_over_tcp(peer);
	long long time = now();
	iov.iov_len = size;
	for (int i = 0; i < BATCH; i++)
		headers[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	while (peer->owed) {
		int count = peer->owed - 1 < BATCH ? peer->owed - 1 : BATCH;
		int sent = count ? sendmmsg(peer->fd, headers, count, MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL)
				 : sendmsg(peer->fd, &headers[0].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 1;
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			die("client: send");
		peer->owed -= sent;
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
		peer->have += headers[i].msg_len;
		if (!headers[i].msg_len) {
			fputs("client: the server ended the association\n", stderr);
			exit(1);
		}
		if (!(headers[i].msg_hdr.msg_flags & MSG_EOR))
			continue;
		if (peer->have != size) {
			fprintf(stderr, "client: an echo of %zu bytes for %zu\n", peer->have, size);
			exit(1);
		}
		peer->have = 0;
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

/* Runs until the time or the number of echoes is over, then waits for the echoes that are under
 * way. Returns how many came in that time. */
static long run(long long deadline, long limit)
{
	long before = echoes, during;
	for (int i = 0; i < peer_count; i++) {
		peers[i].owed = in_flight;
		send_owed(&peers[i]);
		if (peer_count > 1)
			watch(&peers[i]);
	}
	while (echoes - before < limit && now() < deadline)
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
	memset(payload, 'x', sizeof payload);
	is_tcp = argc > 6 && !strcmp(argv[6], "tcp");
	alarm(argc > 7 ? atoi(argv[7]) : 60);
	long long connecting = now();
	connect_all(atoi(argv[1]));
	connecting = now() - connecting;
	if (in_flight)
		run(now() + 100000000LL, 4096);
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
		during = run(begin + milliseconds * 1000000LL, LONG_MAX);
	printf("%ld %lld %ld %lld %lld %lld %lld\n", during, stopped - begin, echoes - before,
	       percentile(0.5), percentile(0.99), percentile(0.999), connecting);
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		return 1;
	return 0;
}
