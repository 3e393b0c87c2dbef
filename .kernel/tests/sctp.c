/* sctp ADDRESS [auth]: one association to oneself, one message. Says "ok" when it arrives. */
#include <arpa/inet.h>
#include <linux/sctp.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void check(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
	struct sctp_authchunk data = {.sauth_chunk = 0};
	char text[16] = "";
	if (argc < 2 || getaddrinfo(argv[1], "5000", &hints, &found))
		return 2;
	int server = socket(found->ai_family, SOCK_STREAM, IPPROTO_SCTP);
	int client = socket(found->ai_family, SOCK_STREAM, IPPROTO_SCTP);
	check(server, "socket");
	/* From then on the server takes DATA only with a valid HMAC. */
	if (argc > 2)
		check(setsockopt(server, IPPROTO_SCTP, SCTP_AUTH_CHUNK, &data, sizeof data), "SCTP_AUTH_CHUNK");
	check(bind(server, found->ai_addr, found->ai_addrlen), "bind");
	check(listen(server, 1), "listen");
	check(connect(client, found->ai_addr, found->ai_addrlen), "connect");
	check((int)send(client, "ok", 2, 0), "send");
	int peer = accept(server, NULL, NULL);
	check(peer, "accept");
	check((int)recv(peer, text, sizeof text - 1, 0), "recv");
	puts(text);
	return strcmp(text, "ok") != 0;
}
