/*
 * Counts the system calls of a server: preloaded, it stands before the C library's functions.
 *
 * The counters are in the file that SYSCALL_COUNTS names, so that they can be read from outside
 * at any time without asking the server. Counted are the calls that a server in its steady state
 * could make; the order of the counters is known to support/server.rs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECVMSG, RECVMMSG, SENDMSG, SENDMMSG, EPOLL_WAIT, POLL, SOCKOPT, OTHER, COUNTERS };

static unsigned long discarded[COUNTERS], *counters = discarded;

__attribute__((constructor)) static void map_counters(void)
{
	const char *path = getenv("SYSCALL_COUNTS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map = mmap(NULL, sizeof discarded, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		counters = map;
}

/* Defines a function that counts and then calls the one of its name in the next library. */
#define COUNTED(counter, type, name, parameters, arguments)            \
	type name parameters                                           \
	{                                                              \
		static type (*next) parameters;                        \
		if (!next)                                             \
			next = dlsym(RTLD_NEXT, #name);                \
		__atomic_fetch_add(&counters[counter], 1, __ATOMIC_RELAXED); \
		return next arguments;                                 \
	}

COUNTED(RECVMSG, ssize_t, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
COUNTED(RECVMMSG, int, recvmmsg,
	(int fd, struct mmsghdr *m, unsigned n, int f, struct timespec *t), (fd, m, n, f, t))
COUNTED(SENDMSG, ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
COUNTED(SENDMMSG, int, sendmmsg, (int fd, struct mmsghdr *m, unsigned n, int f), (fd, m, n, f))
COUNTED(EPOLL_WAIT, int, epoll_wait, (int fd, struct epoll_event *e, int n, int t), (fd, e, n, t))
COUNTED(POLL, int, poll, (struct pollfd *p, nfds_t n, int t), (p, n, t))
COUNTED(SOCKOPT, int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n), (fd, l, o, v, n))
COUNTED(SOCKOPT, int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n), (fd, l, o, v, n))
COUNTED(OTHER, ssize_t, recv, (int fd, void *b, size_t n, int f), (fd, b, n, f))
COUNTED(OTHER, ssize_t, send, (int fd, const void *b, size_t n, int f), (fd, b, n, f))
COUNTED(OTHER, ssize_t, read, (int fd, void *b, size_t n), (fd, b, n))
COUNTED(OTHER, ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n))
COUNTED(OTHER, int, epoll_ctl, (int fd, int o, int of, struct epoll_event *e), (fd, o, of, e))

/* futex and its like; six arguments are all that any system call takes. */
long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long a[6];
	va_list list;
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	__atomic_fetch_add(&counters[OTHER], 1, __ATOMIC_RELAXED);
	return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
