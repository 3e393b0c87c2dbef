/*
 * The supervisor: starts a guest, carries the standard streams, and exits with the command's
 * status. teardown.c ends a run whose command does not end by itself.
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

static void handle_frame(const struct frame *frame)
{
	int bad = 0;
	switch (frame->type) {
	case FRAME_UP:
		run.up = 1;
		send_size();
		if (!run.in.open)
			sender_put(&run.sender, FRAME_EOF, NULL, 0);
		break;
	case FRAME_OUT:
		bad = outlet_put(&run.out, frame);
		break;
	case FRAME_ERR:
		bad = outlet_put(&run.err, frame);
		break;
	case FRAME_TOOK:
		inlet_took(&run.in, &run.job, frame_u32(frame, 0), frame_u32(frame, 1));
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
		complain("invalid frame %#x from the guest: a bug in the lane", frame->type);
		finish(LANE_FAILED);
	}
}

static void handle_frames(void)
{
	struct frame frame = {0};
	int more = 0;
	ssize_t got = inbox_fill(&run.inbox, run.sender.fd);
	while (!run.ended && (more = inbox_next(&run.inbox, &frame)) > 0)
		handle_frame(&frame);
	if (run.ended)
		return;
	if (more < 0) {
		frame.type = 0;
		handle_frame(&frame);
	} else if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
		report_death();
	}
}

static void handle_input(void)
{
	switch (inlet_read(&run.in, &run.sender, &run.job)) {
	case 1:
		complain("Ctrl-] three times: killed");
		finish(LANE_FAILED);
		break;
	case -1:
		/* The input of a terminal ends only when the terminal is lost. */
		if (run.in.raw)
			end_by(SIGHUP, 1);
	}
}

static int pending(const struct outlet *outlet)
{
	return outlet->start < outlet->end;
}

/* The reaper ends the guest. If the reaper itself is killed, the supervisor does it. */
static void check_reaper(short events)
{
	if (!(events & POLLHUP) || events & POLLIN)
		return;
	if (run.reaper.guest > 0)
		kill(-run.reaper.guest, SIGKILL);
	run.reaper.report = -1;
}

/* poll ignores negative descriptors. */
static void wait_and_serve(void)
{
	short line = POLLIN | (run.sender.start < run.sender.end ? POLLOUT : 0);
	struct pollfd at[] = {
		{.fd = run.ended ? -1 : run.sender.fd, .events = line},
		{.fd = run.signals, .events = POLLIN},
		{.fd = run.up && !run.ended && inlet_wants(&run.in, &run.sender) ? STDIN_FILENO : -1, .events = POLLIN},
		{.fd = pending(&run.out) ? run.out.fd : -1, .events = POLLOUT},
		{.fd = pending(&run.err) ? run.err.fd : -1, .events = POLLOUT},
		{.fd = run.reaper.report, .events = 0},
	};
	if (poll(at, sizeof at / sizeof *at, time_to_wait()) < 0)
		return;
	if (at[1].revents)
		signals_handle();
	if (at[3].revents)
		outlet_flush(&run.out, &run.sender);
	if (at[4].revents)
		outlet_flush(&run.err, &run.sender);
	if (at[2].revents)
		handle_input();
	if (at[0].revents & POLLOUT)
		sender_flush(&run.sender);
	if (at[0].revents & ~POLLOUT)
		handle_frames();
	check_reaper(at[5].revents);
	time_check();
}

/* Opens descriptors 0 to 2 where they are closed, so that no other file takes their numbers. */
static void open_missing_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
}

/* Standard streams that are the guest's terminal, bit 0 for stdin. */
static int tty_mask(enum input use)
{
	if (use != INPUT_TERMINAL)
		return 0;
	return 3 | (isatty(STDERR_FILENO) ? 4 : 0);
}

static void open_channel(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		fail("socketpair: %s", strerror(errno));
	run.sender.fd = ends[0];
}

/* For failures before the reaper exists, which does the same. */
static void remove_job(void)
{
	if (run.job.dir[0])
		remove_tree(run.job.dir);
}

int host_main(const struct request *request)
{
	int ends[2];
	open_missing_streams();
	run.request = request;
	enum input use = terminal_use();
	run.in.open = use != INPUT_NONE;
	run.in.raw = use == INPUT_TERMINAL;
	time_set_up();
	run.signals = signals_set_up();
	atexit(remove_job);
	job_create(&run.job, request, tty_mask(use));
	open_channel(ends);
	if (run.in.raw)
		terminal_raw();
	reaper_start(&run.reaper, request, &run.job, ends[1], ends[0]);
	while (!run.ended || pending(&run.out) || pending(&run.err))
		wait_and_serve();
	terminal_restore();
	reaper_stop(&run.reaper);
	return final_code();
}
