/*
 * The supervisor: starts a guest, carries the standard streams, and ends with the command's
 * status. ending.c has what happens when the command does not end by itself.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct lane lane = {
	.out = {.fd = STDOUT_FILENO, .room = FRAME_ROOM_OUT, .shut = FRAME_SHUT_OUT},
	.err = {.fd = STDERR_FILENO, .room = FRAME_ROOM_ERR, .shut = FRAME_SHUT_ERR},
};

void finish(int code)
{
	if (lane.ended) /* asked twice: do not even wait for a slow reader */
		lane.out.end = lane.out.start = lane.err.end = lane.err.start = 0;
	lane.ended = 1;
	lane.code = code;
}

void send_size(void)
{
	uint32_t size[2];
	if (lane.in.raw && !terminal_size(size))
		sender_put_u32(&lane.sender, FRAME_SIZE, size[0], size[1]);
}

static void take_frame(const struct frame *frame)
{
	int bad = 0;
	switch (frame->type) {
	case FRAME_UP:
		lane.up = 1;
		send_size();
		if (!lane.in.open)
			sender_put(&lane.sender, FRAME_EOF, NULL, 0);
		break;
	case FRAME_OUT:
		bad = outlet_put(&lane.out, frame);
		break;
	case FRAME_ERR:
		bad = outlet_put(&lane.err, frame);
		break;
	case FRAME_TOOK:
		inlet_took(&lane.in, &lane.job, frame_u32(frame, 0), frame_u32(frame, 1));
		break;
	case FRAME_EXIT:
		finish((int)frame_u32(frame, 0));
		break;
	case FRAME_FAIL:
		complain("%.*s", (int)frame->length, (const char *)frame->data);
		finish(LANE_FAILED);
		break;
	default:
		bad = 1;
	}
	if (bad) {
		complain("the guest sent nonsense (frame %#x): a bug of the lane", frame->type);
		finish(LANE_FAILED);
	}
}

static void take_frames(void)
{
	struct frame frame = {0};
	int more = 0;
	ssize_t got = inbox_fill(&lane.inbox, lane.sender.fd);
	while (!lane.ended && (more = inbox_next(&lane.inbox, &frame)) > 0)
		take_frame(&frame);
	if (lane.ended)
		return;
	if (more < 0) {
		frame.type = 0;
		take_frame(&frame);
	} else if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
		report_death();
	}
}

static void take_input(void)
{
	switch (inlet_read(&lane.in, &lane.sender, &lane.job)) {
	case 1:
		complain("Ctrl-] three times: killed");
		finish(LANE_FAILED);
		break;
	case -1:
		/* A terminal has no end but its loss. */
		if (lane.in.raw)
			end_by(SIGHUP, 1);
	}
}

static int pending(const struct outlet *outlet)
{
	return outlet->start < outlet->end;
}

/* The keeper ends the guest; should it be killed itself, this does it. */
static void check_keeper(short events)
{
	if (!(events & POLLHUP) || events & POLLIN)
		return;
	if (lane.keeper.guest > 0)
		kill(-lane.keeper.guest, SIGKILL);
	lane.keeper.report = -1;
}

/* A negative descriptor is one that poll leaves out. */
static void wait_and_serve(void)
{
	short line = POLLIN | (lane.sender.start < lane.sender.end ? POLLOUT : 0);
	struct pollfd at[] = {
		{.fd = lane.ended ? -1 : lane.sender.fd, .events = line},
		{.fd = lane.signals, .events = POLLIN},
		{.fd = lane.up && !lane.ended && inlet_wants(&lane.in, &lane.sender) ? STDIN_FILENO : -1, .events = POLLIN},
		{.fd = pending(&lane.out) ? lane.out.fd : -1, .events = POLLOUT},
		{.fd = pending(&lane.err) ? lane.err.fd : -1, .events = POLLOUT},
		{.fd = lane.keeper.report, .events = 0},
	};
	if (poll(at, sizeof at / sizeof *at, time_to_wait()) < 0)
		return;
	if (at[1].revents)
		signals_take();
	if (at[3].revents)
		outlet_flush(&lane.out, &lane.sender);
	if (at[4].revents)
		outlet_flush(&lane.err, &lane.sender);
	if (at[2].revents)
		take_input();
	if (at[0].revents & POLLOUT)
		sender_flush(&lane.sender);
	if (at[0].revents & ~POLLOUT)
		take_frames();
	check_keeper(at[5].revents);
	time_check();
}

/* Descriptors 0 to 2 exist from here on, so that no other file takes their numbers. */
static void open_missing_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
}

/* Which of the standard streams are the guest's terminal: bit 0 for stdin ... */
static int tty_mask(enum input use)
{
	if (use != INPUT_TERMINAL)
		return 0;
	return 3 | (isatty(STDERR_FILENO) ? 4 : 0);
}

static void open_line(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		fail("socketpair: %s", strerror(errno));
	lane.sender.fd = ends[0];
}

/* The keeper does this, too; here it is for failures before there is one. */
static void remove_job(void)
{
	if (lane.job.dir[0])
		remove_tree(lane.job.dir);
}

int host_main(const struct request *request)
{
	int ends[2];
	open_missing_streams();
	lane.request = request;
	enum input use = terminal_use();
	lane.in.open = use != INPUT_NONE;
	lane.in.raw = use == INPUT_TERMINAL;
	time_set_up();
	lane.signals = signals_set_up();
	atexit(remove_job);
	job_create(&lane.job, request, tty_mask(use));
	open_line(ends);
	if (lane.in.raw)
		terminal_raw();
	keeper_start(&lane.keeper, request, &lane.job, ends[1], ends[0]);
	while (!lane.ended || pending(&lane.out) || pending(&lane.err))
		wait_and_serve();
	terminal_restore();
	keeper_stop(&lane.keeper);
	return final_code();
}
