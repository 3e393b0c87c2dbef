/* Runs a program as if the kernel had no SCTP: socket(2) with its protocol number fails by a seccomp
 * filter, as in inet_create of net/ipv4/af_inet.c: with EPROTONOSUPPORT, and with ESOCKTNOSUPPORT
 * for SOCK_SEQPACKET, which no other protocol has.
 *
 *     without-sctp PROGRAM [ARG...]
 */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

int main(int argc, char **argv)
{
	/* What is looked at is in the lower half of each argument, which comes first on machines
	 * that this project runs on: they are little-endian. */
	struct sock_filter filter[] = {
		LOAD(nr),
		UNLESS(__NR_socket, 7),
		LOAD(args[2]),
		UNLESS(IPPROTO_SCTP, 5),
		LOAD(args[1]),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(SOCK_CLOEXEC | SOCK_NONBLOCK)),
		UNLESS(SOCK_SEQPACKET, 1),
		RETURN(SECCOMP_RET_ERRNO | ESOCKTNOSUPPORT),
		RETURN(SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	if (argc < 2)
		return 125;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		perror("without-sctp: prctl");
		return 125;
	}
	execv(argv[1], argv + 1);
	perror(argv[1]);
	return 125;
}
