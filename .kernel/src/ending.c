/* What ends a run other than the command itself: signals, time limits, the guest's death. */
#define _GNU_SOURCE
#include "host.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	UML_BOOT_MS = 60 * 1000,  /* a boot takes some 200 ms on an idle machine */
	SMP_BOOT_MS = 300 * 1000, /* and here some 5 s */
	AGAIN_MS = 300,      /* one Ctrl-C may arrive twice: from the terminal and from timeout(1) */
};

static int signals;
static uint64_t ignored;        /* signals ignored on entry: they end nothing */
static uint64_t interrupted_at; /* the first SIGINT */
static uint64_t boot_ms, boot_until, limit_at, grace_ms;
static uint64_t kill_at;        /* 0, or when the command's time to end is over */
static int kill_code;
static int limit_hit;

/* ---- signals ---- */

static void forward(int number, int group)
{
	sender_put_u32(&lane.sender, FRAME_SIGNAL, (uint32_t)number, (uint32_t)group);
}

/* Asks the command to end, and makes sure that it does. */
void end_by(int number, int group)
{
	if (!lane.up || lane.ended) {
		finish(128 + number);
		return;
	}
	forward(number, group);
	if (!kill_at)
		kill_at = now_ms() + grace_ms;
	kill_code = 128 + SIGKILL;
}

static void take_interrupt(int group)
{
	uint64_t now = now_ms();
	if (interrupted_at && now - interrupted_at > AGAIN_MS) {
		finish(128 + SIGINT);
		return;
	}
	if (!interrupted_at)
		interrupted_at = now;
	end_by(SIGINT, group);
}

/* The parent's death signal comes at the end of the thread that started us, too. */
static int orphaned(void)
{
	return getppid() != lane.request->parent;
}

void signals_take(void)
{
	struct signalfd_siginfo info;
	if (read(signals, &info, sizeof info) != sizeof info)
		return;
	int number = (int)info.ssi_signo;
	/* The kernel itself sends a terminal's signals, and sends them to the whole group. */
	int group = info.ssi_code > 0;
	if (number == SIGWINCH)
		send_size();
	else if (number == SIGUSR1 || number == SIGUSR2 || ignored >> number & 1)
		forward(number, group);
	else if (number == SIGINT)
		take_interrupt(group);
	else if (number != SIGRTMIN)
		end_by(number, group);
	else if (orphaned())
		end_by(SIGTERM, 0);
}

int signals_set_up(void)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
		struct sigaction action;
		if (!sigaction(taken[i], NULL, &action) && action.sa_handler == SIG_IGN)
			ignored |= 1ULL << taken[i];
		sigaddset(&set, taken[i]);
	}
	sigaddset(&set, SIGRTMIN);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	/* Restoring the terminal from the background must not stop us. */
	sigaddset(&set, SIGTTOU);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* Ends with its parent, unless it was started to outlive it: nohup ignores SIGHUP. */
	if (!(ignored >> SIGHUP & 1)) {
		prctl(PR_SET_PDEATHSIG, SIGRTMIN);
		if (orphaned())
			exit(128 + SIGTERM);
	}
	return signals;
}

/* ---- time ---- */

static uint64_t seconds_ms(const char *variable, uint64_t otherwise)
{
	const char *value = getenv(variable);
	char *end;
	if (!value || !*value)
		return otherwise * 1000;
	double seconds = strtod(value, &end);
	if (*end || !(seconds > 0) || seconds > 1e9)
		fail("%s=%s: a number of seconds is expected", variable, value);
	return (uint64_t)(seconds * 1000);
}

void time_set_up(void)
{
	boot_ms = lane.request->smp ? SMP_BOOT_MS : UML_BOOT_MS;
	boot_until = now_ms() + boot_ms;
	/* Whoever sits at a terminal can end a run by hand. */
	limit_at = now_ms() + seconds_ms("SCTP_KERNEL_TIMEOUT", lane.in.raw ? 365 * 86400 : 3600);
	grace_ms = seconds_ms("SCTP_KERNEL_GRACE", 10);
}

static void reach_limit(void)
{
	complain("the time limit (SCTP_KERNEL_TIMEOUT) is reached");
	limit_at = UINT64_MAX;
	limit_hit = 1;
	end_by(SIGTERM, 0);
}

void time_check(void)
{
	uint64_t now = now_ms();
	if (!lane.up && now >= boot_until) {
		complain("the guest did not start within %d s", (int)(boot_ms / 1000));
		finish(LANE_FAILED);
	} else if (kill_at && now >= kill_at) {
		complain("the command did not end within %g s of a signal: killed", (double)grace_ms / 1000);
		finish(kill_code);
	} else if (now >= limit_at) {
		reach_limit();
	}
}

/* Milliseconds until time_check has something to do. */
int time_to_wait(void)
{
	uint64_t now = now_ms(), next = limit_at;
	if (!lane.up && boot_until < next)
		next = boot_until;
	if (kill_at && kill_at < next)
		next = kill_at;
	uint64_t wait = next > now ? next - now : 0;
	return wait > 3600 * 1000 ? 3600 * 1000 : (int)wait;
}

int final_code(void)
{
	return limit_hit ? LANE_TIME_LIMIT : lane.code;
}

/* ---- the guest's death ---- */

/* Why the kernel panicked, if it did; else the last it said. */
static void show_console(void)
{
	enum { TAIL = 1500 };
	size_t length;
	char *text = slurp(lane.job.fd, "console", &length);
	if (!text)
		return;
	for (char *at = text; *at; at++)
		if (*at == '\r')
			*at = ' ';
	char *from = strstr(text, "Kernel panic");
	if (!from)
		from = length > TAIL ? text + length - TAIL : text;
	if (*from)
		complain("the guest's kernel said:\n%.*s", TAIL, from);
	free(text);
}

/* Called when the line is closed without a status. */
void report_death(void)
{
	int status;
	struct pollfd report = {.fd = lane.keeper.report, .events = POLLIN};
	const char *what = lane.up ? "died" : "did not start";
	if (poll(&report, 1, 1000) <= 0 || read(lane.keeper.report, &status, sizeof status) != sizeof status)
		complain("the guest %s", what);
	else if (WIFSIGNALED(status))
		complain("the guest %s: signal %d (%s)", what, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		complain("the guest %s: its kernel exited with %d", what, WEXITSTATUS(status));
	show_console();
	finish(LANE_FAILED);
}
