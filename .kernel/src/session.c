/* Streams and signals of the running command, to and from the host. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPORT_TAKEN = CHUNK_MAX / 4 };

/* Input not yet read by the command. */
struct piece {
	struct piece *next;
	size_t start, end;
	char bytes[];
};

static struct session {
	const struct config *config;
	struct stdio stdio;
	struct inbox inbox;
	struct piece *first, **last;
	int input_ends;       /* all input has arrived */
	uint32_t taken;       /* by the command, since the last report to the host */
	uint32_t files;       /* chunk files read */
	size_t out_room, err_room;
	pid_t command;
	int over;             /* the command has ended */
	int status;
	int children;         /* a signalfd */
} session = {.last = &session.first, .out_room = OUT_WINDOW, .err_room = OUT_WINDOW};

/* ---- input ---- */

static void close_input(void)
{
	/* A terminal's input has no end; the host sends SIGHUP instead. */
	if (session.stdio.in >= 0 && session.stdio.in != session.stdio.out)
		close(session.stdio.in);
	session.stdio.in = -1;
}

static void drop_input(void)
{
	while (session.first) {
		struct piece *piece = session.first;
		session.taken += (uint32_t)(piece->end - piece->start);
		session.first = piece->next;
		free(piece);
	}
	session.last = &session.first;
}

static void report_taken(int always)
{
	if (!always && session.taken < REPORT_TAKEN)
		return;
	uint32_t values[] = {session.taken, session.files};
	guest_send(FRAME_TOOK, values, sizeof values);
	session.taken = 0;
}

static struct piece *add_piece(size_t length)
{
	struct piece *piece = malloc(sizeof *piece + length);
	if (!piece)
		guest_fail("out of memory for standard input");
	*piece = (struct piece){.end = length};
	*session.last = piece;
	session.last = &piece->next;
	return piece;
}

static void add_chunk(uint32_t number, uint32_t length)
{
	char name[32];
	size_t have;
	snprintf(name, sizeof name, "in.%u", number);
	char *bytes = slurp(session.config->job, name, &have);
	if (!bytes || have != length)
		guest_fail("standard input: %s has %zu of %u bytes", name, bytes ? have : 0, length);
	memcpy(add_piece(length)->bytes, bytes, length);
	free(bytes);
	session.files = number + 1;
	report_taken(1);
}

static void write_input(void)
{
	struct piece *piece = session.first;
	ssize_t put = write(session.stdio.in, piece->bytes + piece->start, piece->end - piece->start);
	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (put < 0) { /* closed by the command */
		close_input();
		drop_input();
		return;
	}
	piece->start += (size_t)put;
	session.taken += (uint32_t)put;
	if (piece->start == piece->end) {
		session.first = piece->next;
		if (!session.first)
			session.last = &session.first;
		free(piece);
	}
	report_taken(0);
}

/* ---- output ---- */

static void close_output(int *fd)
{
	if (*fd == session.stdio.in)
		session.stdio.in = -1;
	close(*fd);
	*fd = -1;
}

static void read_output(int *fd, uint8_t type, size_t *room)
{
	char bytes[FRAME_MAX];
	ssize_t got = read(*fd, bytes, *room < sizeof bytes ? *room : sizeof bytes);
	if (got > 0) {
		guest_send(type, bytes, (size_t)got);
		*room -= (size_t)got;
	} else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
		close_output(fd); /* EIO: no process has the terminal open */
	}
}

/* ---- frames from the host ---- */

static void handle_signal(int number, int group)
{
	if (!session.over)
		kill(group ? -session.command : session.command, number);
}

static void handle_size(uint32_t rows, uint32_t columns)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
	if (session.stdio.terminal >= 0 && session.stdio.out >= 0)
		ioctl(session.stdio.out, TIOCSWINSZ, &size);
}

static void handle_frame(const struct frame *frame)
{
	uint32_t a = frame_u32(frame, 0), b = frame_u32(frame, 1);
	switch (frame->type) {
	case FRAME_IN:
		memcpy(add_piece(frame->length)->bytes, frame->data, frame->length);
		break;
	case FRAME_CHUNK:
		add_chunk(a, b);
		break;
	case FRAME_EOF:
		session.input_ends = 1;
		break;
	case FRAME_ROOM_OUT:
		session.out_room += a;
		break;
	case FRAME_ROOM_ERR:
		session.err_room += a;
		break;
	case FRAME_SHUT_OUT:
		if (session.stdio.out >= 0)
			close_output(&session.stdio.out);
		break;
	case FRAME_SHUT_ERR:
		if (session.stdio.err >= 0)
			close_output(&session.stdio.err);
		break;
	case FRAME_SIGNAL:
		handle_signal((int)a, (int)b);
		break;
	case FRAME_SIZE:
		handle_size(a, b);
		break;
	}
}

static void handle_frames(void)
{
	struct frame frame;
	int more;
	if (inbox_fill(&session.inbox, session.config->channel) < 0 && errno != EINTR && errno != EAGAIN)
		guest_exit(LANE_FAILED);
	while ((more = inbox_next(&session.inbox, &frame)) > 0)
		handle_frame(&frame);
	if (more < 0)
		guest_fail("invalid frame from the host: a bug in the lane");
}

/* ---- the end ---- */

/* Kills what the command left running before the guest ends, so that the streams are closed and
 * their data can be read to the end. */
static void end_the_rest(void)
{
	session.over = 1;
	close_input();
	drop_input();
	close(session.stdio.terminal);
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static void reap(void)
{
	struct signalfd_siginfo info;
	int status;
	pid_t ended;
	if (read(session.children, &info, sizeof info) < 0)
		return;
	while (!session.over && (ended = waitpid(-1, &status, WNOHANG)) > 0)
		if (ended == session.command) {
			session.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			end_the_rest();
		}
}

static void wait_and_serve(void)
{
	struct stdio *stdio = &session.stdio;
	struct pollfd at[] = {
		{.fd = session.config->channel, .events = POLLIN},
		{.fd = session.children, .events = POLLIN},
		{.fd = session.first ? stdio->in : -1, .events = POLLOUT},
		{.fd = session.out_room ? stdio->out : -1, .events = POLLIN},
		{.fd = session.err_room ? stdio->err : -1, .events = POLLIN},
	};
	if (poll(at, sizeof at / sizeof *at, -1) < 0)
		return;
	if (at[3].revents)
		read_output(&stdio->out, FRAME_OUT, &session.out_room);
	if (at[4].revents)
		read_output(&stdio->err, FRAME_ERR, &session.err_room);
	if (at[2].revents && stdio->in >= 0)
		write_input();
	if (at[0].revents)
		handle_frames();
	if (stdio->in < 0) {
		drop_input();
		report_taken(0);
	} else if (session.input_ends && !session.first) {
		close_input();
	}
	if (at[1].revents)
		reap();
}

void session_run(const struct config *config)
{
	sigset_t child;
	session.config = config;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
	session.children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	session.command = command_start(config, &session.stdio);
	fcntl(session.stdio.in, F_SETFL, fcntl(session.stdio.in, F_GETFL) | O_NONBLOCK);
	guest_send(FRAME_UP, NULL, 0);
	while (!session.over || session.stdio.out >= 0 || session.stdio.err >= 0)
		wait_and_serve();
	sync();
	uint32_t code = (uint32_t)session.status;
	guest_send(FRAME_EXIT, &code, sizeof code);
	guest_exit(session.status);
}
