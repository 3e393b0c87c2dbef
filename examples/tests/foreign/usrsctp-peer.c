/*
 * A peer on usrsctp, for what its own programs cannot do: streams, identifiers, and aborts with a
 * reason. SCTP goes inside UDP to and from 127.0.0.1.
 *
 *   usrsctp-peer MY-UDP-PORT ITS-UDP-PORT connect SCTP-PORT
 *   usrsctp-peer MY-UDP-PORT ITS-UDP-PORT listen SCTP-PORT
 *
 * Standard input has commands, which are about the association that came up last:
 *
 *   send STREAM PPID TEXT | shutdown | abort REASON
 *
 * Standard output tells what came: "listening", "up", "stream S ppid P TEXT", "shutdown", "over",
 * "lost: cause C REASON". It ends at the end of its input.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <usrsctp.h>

static _Atomic sctp_assoc_t association;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* sac_info is the ABORT chunk: its header, then the first cause with a header of its own. */
static void show_abort(const struct sctp_assoc_change *change)
{
	size_t length = change->sac_length - sizeof *change;
	const uint8_t *chunk = change->sac_info;
	size_t cause = length < 8 ? 0 : (size_t)chunk[6] << 8 | chunk[7];

	if (cause < 4 || cause > length - 4)
		printf("lost\n");
	else
		printf("lost: cause %d %.*s\n", chunk[4] << 8 | chunk[5], (int)cause - 4, chunk + 8);
}

static void show_event(const union sctp_notification *event)
{
	const struct sctp_assoc_change *change = &event->sn_assoc_change;

	if (event->sn_header.sn_type == SCTP_SHUTDOWN_EVENT) {
		printf("shutdown\n");
	} else if (event->sn_header.sn_type == SCTP_ASSOC_CHANGE) {
		if (change->sac_state == SCTP_COMM_UP) {
			association = change->sac_assoc_id;
			printf("up\n");
		} else if (change->sac_state == SCTP_SHUTDOWN_COMP) {
			printf("over\n");
		} else {
			show_abort(change);
		}
	}
}

static int receive(struct socket *socket, union sctp_sockstore from, void *data, size_t length,
		   struct sctp_rcvinfo info, int flags, void *context)
{
	(void)socket, (void)from, (void)context;
	if (data == NULL)
		return 1;
	if (flags & MSG_NOTIFICATION)
		show_event(data);
	else
		printf("stream %u ppid %u %.*s\n", info.rcv_sid, ntohl(info.rcv_ppid), (int)length, (char *)data);
	fflush(stdout);
	free(data);
	return 1;
}

static void send_message(struct socket *socket, const char *text, struct sctp_sndinfo info)
{
	info.snd_assoc_id = association;
	if (usrsctp_sendv(socket, text, strlen(text), NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0) < 0)
		fail("usrsctp_sendv");
}

static void obey(struct socket *socket, char *line)
{
	struct sctp_sndinfo info = {0};
	unsigned stream, ppid;
	int text;

	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "send %u %u %n", &stream, &ppid, &text) == 2) {
		info.snd_sid = stream;
		info.snd_ppid = htonl(ppid);
		send_message(socket, line + text, info);
	} else if (strcmp(line, "shutdown") == 0) {
		info.snd_flags = SCTP_EOF;
		send_message(socket, "", info);
	} else if (strncmp(line, "abort ", 6) == 0) {
		info.snd_flags = SCTP_ABORT;
		send_message(socket, line + 6, info);
	} else {
		fprintf(stderr, "no such command: %s\n", line);
		exit(1);
	}
}

static void subscribe(struct socket *socket, uint16_t type)
{
	struct sctp_event event = {.se_assoc_id = SCTP_FUTURE_ASSOC, .se_type = type, .se_on = 1};

	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event) < 0)
		fail("SCTP_EVENT");
}

static struct socket *open_socket(uint16_t its_udp_port)
{
	struct sctp_udpencaps encapsulation = {.sue_port = htons(its_udp_port)};
	struct socket *socket =
		usrsctp_socket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, receive, NULL, 0, NULL);
	int on = 1;

	if (socket == NULL)
		fail("usrsctp_socket");
	encapsulation.sue_address.ss_family = AF_INET;
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encapsulation,
			       sizeof encapsulation) < 0)
		fail("SCTP_REMOTE_UDP_ENCAPS_PORT");
	if (usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on) < 0 ||
	    usrsctp_setsockopt(socket, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on) < 0)
		fail("usrsctp_setsockopt");
	subscribe(socket, SCTP_ASSOC_CHANGE);
	subscribe(socket, SCTP_SHUTDOWN_EVENT);
	return socket;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct socket *socket;
	char line[1000];

	if (argc != 5)
		return 2;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(atoi(argv[4]));
	usrsctp_init(atoi(argv[1]), NULL, NULL);
	socket = open_socket(atoi(argv[2]));
	if (strcmp(argv[3], "listen") == 0) {
		if (usrsctp_bind(socket, (struct sockaddr *)&address, sizeof address) < 0 ||
		    usrsctp_listen(socket, 1) < 0)
			fail("usrsctp_listen");
		printf("listening\n");
		fflush(stdout);
	} else if (usrsctp_connect(socket, (struct sockaddr *)&address, sizeof address) < 0) {
		fail("usrsctp_connect");
	}
	while (fgets(line, sizeof line, stdin) != NULL)
		obey(socket, line);
	return 0;
}
