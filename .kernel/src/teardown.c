/* Ends of a run other than the command's own: signals, time limits, the guest's death. */
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
	UML_BOOT_MS = 60 * 1000,  /* a boot takes about 200 ms on an idle machine */
	SMP_BOOT_MS = 300 * 1000, /* about 5 s on an idle machine */
	AGAIN_MS = 300,           /* one Ctrl-C may arrive twice, from the terminal and from timeout(1) */
};

static int signals;
static uint64_t ignored;        /* signals ignored on entry */
static uint64_t interrupted_at; /* the first SIGINT */
static uint64_t boot_ms, boot_until, limit_at, grace_ms;
static uint64_t kill_at;        /* 0, or the time at which the command is killed */
static int kill_code;
static int limit_hit;

/* ---- signals ---- */

static void forward(int number, int group)
{
	sender_put_u32(&run.sender, FRAME_SIGNAL, (uint32_t)number, (uint32_t)group);
}

/* Sends the command a signal, and sets the time at which it is killed if it has not ended. */
void end_by(int number, int group)
{
	if (!run.up || run.ended) {
		finish(128 + number);
		return;
	}
	forward(number, group);
	if (!kill_at)
		kill_at = now_ms() + grace_ms;
	kill_code = 128 + SIGKILL;
}

static void handle_interrupt(int group)
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

/* The parent's death signal is also sent when only the thread that started this process ends. */
static int orphaned(void)
{
	return getppid() != run.request->parent;
}

void signals_handle(void)
{
	struct signalfd_siginfo info;
	if (read(signals, &info, sizeof info) != sizeof info)
		return;
	int number = (int)info.ssi_signo;
	/* The signals of a terminal come from the kernel, for the whole process group. */
	int group = info.ssi_code > 0;
	if (number == SIGWINCH)
		send_size();
	else if (number == SIGUSR1 || number == SIGUSR2 || ignored >> number & 1)
		forward(number, group);
	else if (number == SIGINT)
		handle_interrupt(group);
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
	/* Restoring the terminal from the background must not stop this process. */
	sigaddset(&set, SIGTTOU);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* Ends with its parent, unless nohup(1) started it, which ignores SIGHUP. */
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
		fail("%s=%s is not a number of seconds", variable, value);
	return (uint64_t)(seconds * 1000);
}

void time_set_up(void)
{
	boot_ms = run.request->smp ? SMP_BOOT_MS : UML_BOOT_MS;
	boot_until = now_ms() + boot_ms;
	/* At a terminal, the user can end the run. */
	limit_at = now_ms() + seconds_ms("SCTP_KERNEL_TIMEOUT", run.in.raw ? 365 * 86400 : 3600);
	grace_ms = seconds_ms("SCTP_KERNEL_GRACE", 10);
}

static void reach_limit(void)
{
	complain("time limit reached (SCTP_KERNEL_TIMEOUT)");
	limit_at = UINT64_MAX;
	limit_hit = 1;
	end_by(SIGTERM, 0);
}

void time_check(void)
{
	uint64_t now = now_ms();
	if (!run.up && now >= boot_until) {
		complain("the guest did not start within %d s", (int)(boot_ms / 1000));
		finish(LANE_FAILED);
	} else if (kill_at && now >= kill_at) {
		complain("the command did not end within %g s of a signal: killed", (double)grace_ms / 1000);
		finish(kill_code);
	} else if (now >= limit_at) {
		reach_limit();
	}
}

/* Milliseconds until the next deadline of time_check. */
int time_to_wait(void)
{
	uint64_t now = now_ms(), next = limit_at;
	if (!run.up && boot_until < next)
		next = boot_until;
	if (kill_at && kill_at < next)
		next = kill_at;
	uint64_t wait = next > now ? next - now : 0;
	return wait > 3600 * 1000 ? 3600 * 1000 : (int)wait;
}

int final_code(void)
{
	return limit_hit ? LANE_TIME_LIMIT : run.code;
}

/* ---- the guest's death ---- */

/* Shows the kernel's panic, else the end of its messages. */
static void show_console(void)
{
	enum { TAIL = 1500 };
	size_t length;
	char *text = slurp(run.job.fd, "console", &length);
	if (!text)
		return;
	for (char *at = text; *at; at++)
		if (*at == '\r')
			*at = ' ';
	char *from = strstr(text, "Kernel panic");
	if (!from)
		from = length > TAIL ? text + length - TAIL : text;
	if (*from)
		complain("last messages of the guest's kernel:\n%.*s", TAIL, from);
	free(text);
}

/* Reports a channel that was closed without a status. */
void report_death(void)
{
	int status;
	struct pollfd report = {.fd = run.reaper.report, .events = POLLIN};
	const char *what = run.up ? "died" : "did not start";
	if (poll(&report, 1, 1000) <= 0 || read(run.reaper.report, &status, sizeof status) != sizeof status)
		complain("the guest %s", what);
	else if (WIFSIGNALED(status))
		complain("the guest %s: signal %d (%s)", what, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		complain("the guest %s: its kernel exited with %d", what, WEXITSTATUS(status));
	show_console();
	finish(LANE_FAILED);
}
