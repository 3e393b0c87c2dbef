/* Starts the command, with its streams and its environment. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

/* Opens a terminal with the settings of the host's terminal. Returns its inner end. */
static int open_terminal(const struct config *config, int *outer)
{
	char name[64];
	size_t length;
	int number, unlock = 0;
	*outer = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*outer < 0 || ioctl(*outer, TIOCSPTLCK, &unlock) || ioctl(*outer, TIOCGPTN, &number))
		guest_fail("cannot open a terminal: %s", strerror(errno));
	snprintf(name, sizeof name, "/dev/pts/%d", number);
	int inner = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	char *settings = slurp(config->job, "termios", &length);
	if (settings && length == sizeof(struct termios))
		tcsetattr(inner, TCSANOW, (struct termios *)settings);
	free(settings);
	return inner;
}

static void open_pipe(int *reader, int *writer)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		guest_fail("cannot make a pipe: %s", strerror(errno));
	*reader = ends[0];
	*writer = ends[1];
}

/* Sets what the command inherits from its caller besides the streams. */
static void inherit_state(const struct config *config)
{
	sigset_t none;
	for (int number = 1; number < 64; number++)
		signal(number, config->ignored >> number & 1 ? SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(config->umask);
	if (chdir(config->cwd)) {
		complain("cannot change to the directory %s: %s", config->cwd, strerror(errno));
		_exit(LANE_FAILED);
	}
}

/* Within the guest, .kernel/run uses the guest's kernel. */
static void set_environment(const struct config *config)
{
	environ = config->env;
	setenv("SCTP_KERNEL_GUEST", config->kind, 1);
	if (getenv("SCTP_KERNEL"))
		setenv("SCTP_KERNEL", "host", 1);
}

/* execvp fails with EACCES if a folder of PATH cannot be searched, where a shell continues. */
static int is_in_path(const char *name)
{
	const char *path = getenv("PATH");
	for (const char *at = path; at; at = strchr(at, ':')) {
		char file[4096];
		at += *at == ':';
		snprintf(file, sizeof file, "%.*s/%s", (int)strcspn(at, ":"), at, name);
		if (!access(file, F_OK))
			return 1;
	}
	return 0;
}

_Noreturn static void become_command(const struct config *config, const int ends[3], int terminal)
{
	setsid();
	if (terminal)
		ioctl(ends[0], TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(ends[fd], fd);
	inherit_state(config);
	set_environment(config);
	execvp(config->argv[0], config->argv);
	int reason = errno;
	if (reason == EACCES && !strchr(config->argv[0], '/') && !is_in_path(config->argv[0]))
		reason = ENOENT;
	complain("%s: %s", config->argv[0], strerror(reason));
	_exit(reason == ENOENT ? LANE_NOT_FOUND : LANE_CANNOT_RUN);
}

pid_t command_start(const struct config *config, struct stdio *stdio)
{
	int ends[3];
	*stdio = (struct stdio){.err = -1, .terminal = -1};
	if (config->tty_mask) {
		ends[0] = ends[1] = ends[2] = open_terminal(config, &stdio->out);
		stdio->in = stdio->out;
		/* Kept open here. Otherwise a command that closes its streams before it ends would
		 * close the terminal, and get SIGHUP. */
		stdio->terminal = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	} else {
		open_pipe(&ends[0], &stdio->in);
		open_pipe(&stdio->out, &ends[1]);
	}
	if (!(config->tty_mask & 4))
		open_pipe(&stdio->err, &ends[2]);
	pid_t command = fork();
	if (command < 0)
		guest_fail("cannot fork: %s", strerror(errno));
	if (!command)
		become_command(config, ends, stdio->terminal >= 0);
	for (int fd = 0; fd < 3; fd++)
		close(ends[fd]);
	return command;
}
