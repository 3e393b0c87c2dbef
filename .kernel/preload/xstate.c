/*
 * For processors with AMX: loaded before UML (LD_PRELOAD), it widens one system call.
 *
 * UML 6.1 keeps its processes' extended registers in 2696 bytes: all up to AVX-512 and PKRU.
 * The host wants PTRACE_SETREGSET(NT_X86_XSTATE) to give the full size it has itself, which
 * is 11008 bytes with AMX, and refuses less with EFAULT: the guest then dies at its first
 * process. Fixed in later kernels, which ask the host for the size. What is added here is
 * zero, that is the initial state of the components that UML does not know. Its processes
 * cannot use them: AMX has to be asked for by a call that UML does not have.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

enum {
	LARGEST = 64 * 1024,
	HEADER = 512,             /* where the bitmap of components in use is */
	AMX = 1 << 17 | 1 << 18,  /* XTILECFG, XTILEDATA */
};

static long (*next)(int request, ...);
static size_t host_size;

/* Static since UML's stacks are small; no one else is inside ptrace meanwhile, as UML has one
 * processor and does not preempt its kernel. What is behind UML's part is always zero. */
static unsigned char area[LARGEST];

__attribute__((constructor)) static void find_next(void)
{
	next = (long (*)(int, ...))dlsym(RTLD_NEXT, "ptrace");
}

/* The kernel says the size when it fills a buffer that is larger. */
static size_t size_of_host(int pid)
{
	struct iovec all = {area, sizeof area};
	size_t size = next(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) ? 0 : all.iov_len;
	memset(area, 0, sizeof area);
	return size;
}

static long set_registers(int pid, const struct iovec *given)
{
	uint64_t used;
	if (!host_size)
		host_size = size_of_host(pid);
	if (given->iov_len >= host_size || given->iov_len < HEADER + sizeof used)
		return next(PTRACE_SETREGSET, pid, NT_X86_XSTATE, given);
	memcpy(area, given->iov_base, given->iov_len);
	memcpy(&used, area + HEADER, sizeof used);
	used &= ~(uint64_t)AMX;
	memcpy(area + HEADER, &used, sizeof used);
	struct iovec full = {area, host_size};
	return next(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &full);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list args;
	va_start(args, request);
	int pid = va_arg(args, int);
	void *address = va_arg(args, void *);
	void *data = va_arg(args, void *);
	va_end(args);
	if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE)
		return set_registers(pid, data);
	return next((int)request, pid, address, data);
}
