/*
 * What the programs of the benchmark share: sockets, ancillary data, giving up.
 *
 * libsctp is not needed: its sctp_recvv and sctp_sendv are recvmsg and sendmsg with the ancillary
 * data that is built and read here (RFC 6458, section 5.3).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sctp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* No message of the benchmark is longer. The odd part keeps slots out of one another's cache sets. */
enum { MAX_MESSAGE = 65536, SLOT = MAX_MESSAGE + 192, BATCH = 32 };

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline void set(int fd, int option, const void *value, socklen_t length)
{
	if (setsockopt(fd, IPPROTO_SCTP, option, value, length))
		die("setsockopt");
}

/* The kernel gives as much of this as net.core.rmem_max and wmem_max allow. */
static inline void ask_for_room(int fd)
{
	int bytes = 4 << 20;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes))
		die("setsockopt");
}

/* A socket without delays for small messages. `kind` is SOCK_SEQPACKET or SOCK_STREAM. */
static inline int open_socket(int kind)
{
	int fd = socket(AF_INET, kind, IPPROTO_SCTP), on = 1;
	if (fd < 0)
		die("socket");
	set(fd, SCTP_NODELAY, &on, sizeof on);
	ask_for_room(fd);
	return fd;
}

static inline struct sockaddr_in loopback(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* A listening one-to-many socket that tells of each message where it came from. The line on
 * standard output says that peers can come. */
static inline int serve_on(int port)
{
	int fd = open_socket(SOCK_SEQPACKET), on = 1;
	struct sockaddr_in address = loopback(port);
	set(fd, SCTP_RECVRCVINFO, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 128))
		die("bind");
	puts("ready");
	fflush(stdout);
	return fd;
}

/* Room for the ancillary data of one message, in or out. */
union control {
	char bytes[CMSG_SPACE(sizeof(struct sctp_rcvinfo)) + CMSG_SPACE(sizeof(struct sctp_nxtinfo))];
	struct cmsghdr header;
};

/* Makes a header that receives into or sends from one buffer. */
static inline struct msghdr header_for(struct iovec *iov, union control *control)
{
	struct msghdr header = { .msg_iov = iov, .msg_iovlen = 1 };
	header.msg_control = control->bytes;
	header.msg_controllen = sizeof control->bytes;
	return header;
}

/* Turns the ancillary data of a message received into that of its answer: same association,
 * stream and payload protocol identifier. */
static inline void answer(struct msghdr *header, union control *control)
{
	struct sctp_rcvinfo in = { 0 };
	struct sctp_sndinfo out = { 0 };
	struct cmsghdr *found = CMSG_FIRSTHDR(header);
	for (; found; found = CMSG_NXTHDR(header, found))
		if (found->cmsg_level == IPPROTO_SCTP && found->cmsg_type == SCTP_RCVINFO)
			memcpy(&in, CMSG_DATA(found), sizeof in);
	out.snd_sid = in.rcv_sid;
	out.snd_ppid = in.rcv_ppid;
	out.snd_assoc_id = in.rcv_assoc_id;
	control->header.cmsg_level = IPPROTO_SCTP;
	control->header.cmsg_type = SCTP_SNDINFO;
	control->header.cmsg_len = CMSG_LEN(sizeof out);
	memcpy(CMSG_DATA(&control->header), &out, sizeof out);
	header->msg_control = control->bytes;
	header->msg_controllen = CMSG_SPACE(sizeof out);
	header->msg_flags = 0;
}
