/*
 * A clock that is read without a system call, for User-Mode Linux.
 *
 * Every other Linux answers clock_gettime in the process itself (vDSO), in some 20 nanoseconds.
 * In User-Mode Linux it is a system call, as dear as sending a message. A program that measures
 * its time, as tokio's scheduler does three times for each sleep, would be charged for that. So
 * here, preloaded into all servers and the client alike, the processor's own counter is read, as
 * the vDSO does; it is set by the kernel's clock some 30 times a second.
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

/* At 3 GHz, 30 milliseconds. */
enum { REFRESH = 100000000 };

struct reading {
	unsigned long long cycles, time;
};

static struct reading first, latest;
static double time_per_cycle;
static unsigned long long last;

static void read_kernel(struct reading *into)
{
	struct timespec time;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time);
	into->time = time.tv_sec * 1000000000ULL + time.tv_nsec;
	into->cycles = __rdtsc();
}

int clock_gettime(clockid_t clock, struct timespec *into)
{
	unsigned long long cycles, now;
	if (clock != CLOCK_MONOTONIC)
		return syscall(SYS_clock_gettime, clock, into);
	if (!first.time)
		read_kernel(&first);
	cycles = __rdtsc();
	if (!time_per_cycle || cycles - latest.cycles > REFRESH) {
		read_kernel(&latest);
		cycles = latest.cycles;
		/* The longer ago the first reading, the better the rate: good after a moment. */
		if (latest.time - first.time > 20000000)
			time_per_cycle = (double)(latest.time - first.time) / (latest.cycles - first.cycles);
	}
	now = latest.time + (unsigned long long)((cycles - latest.cycles) * time_per_cycle);
	/* Never backwards. */
	if (now > last)
		last = now;
	into->tv_sec = last / 1000000000;
	into->tv_nsec = last % 1000000000;
	return 0;
}
