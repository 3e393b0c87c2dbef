/*
 * Preloaded into UML (LD_PRELOAD) to correct two of its uses of ptrace.
 *
 * Extended registers. UML 6.1 keeps 2696 bytes of them, up to AVX-512 and PKRU. A host with AMX
 * has 11008, requires all of them in PTRACE_SETREGSET(NT_X86_XSTATE), and fails with EFAULT on
 * less: the guest dies at its first process. (Later kernels ask the host for the size.) The bytes
 * added here are zero, the initial state of the registers that UML does not know. Guest processes
 * cannot use AMX, because UML lacks the call that enables it.
 *
 * Orphans. When UML is killed, the processes that it traces would continue, and make their system
 * calls to the host. PTRACE_O_EXITKILL ends them together with UML.
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
	OLDSETOPTIONS = 21,       /* the old number of PTRACE_SETOPTIONS, which UML may use */
	AMX = 1 << 17 | 1 << 18,  /* XTILECFG, XTILEDATA */
};

/* The type that each C library declares ptrace with. */
#ifdef __GLIBC__
typedef enum __ptrace_request request_type;
#else
typedef int request_type;
#endif

static long (*next)(int request, ...);
static size_t host_size;

/* Static, because UML's stacks are small. It needs no lock: UML has one processor and does not
 * preempt its kernel. The bytes after UML's part are always zero. */
static unsigned char area[LARGEST];

__attribute__((constructor)) static void find_next(void)
{
	next = (long (*)(int, ...))dlsym(RTLD_NEXT, "ptrace");
}

/* The kernel returns the size when it fills a larger buffer. */
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

long ptrace(request_type request, ...)
{
	va_list args;
	va_start(args, request);
	int pid = va_arg(args, int);
	void *address = va_arg(args, void *);
	void *data = va_arg(args, void *);
	va_end(args);
	if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE)
		return set_registers(pid, data);
	if (request == PTRACE_SETOPTIONS || (int)request == OLDSETOPTIONS)
		data = (void *)((uintptr_t)data | PTRACE_O_EXITKILL);
	return next((int)request, pid, address, data);
}
