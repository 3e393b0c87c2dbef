/* The host's terminal, if the command runs at one. */
#include "host.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int is_raw;

/* Two runs that make one terminal raw would restore each other's settings. So the first run locks
 * the terminal until it exits. */
static int is_free(void)
{
	int terminal = open("/proc/self/fd/0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	return terminal < 0 || !flock(terminal, LOCK_EX | LOCK_NB);
}

/*
 * Decides the use of standard input. A background job, or a second run at the terminal, must not
 * read from it: the first would be stopped, the second would take the other's input. The guest
 * gets the terminal if it is both input and output. If the output is piped elsewhere, the input
 * arrives in lines, as the host's terminal makes them.
 */
enum input terminal_use(void)
{
	if (!isatty(STDIN_FILENO))
		return INPUT_PLAIN;
	pid_t front = tcgetpgrp(STDIN_FILENO);
	if ((front > 0 && front != getpgrp()) || !is_free())
		return INPUT_NONE;
	return isatty(STDOUT_FILENO) ? INPUT_TERMINAL : INPUT_PLAIN;
}

/* Passes every key to the guest, whose own terminal makes lines and signals. */
void terminal_raw(void)
{
	struct termios raw;
	if (tcgetattr(STDIN_FILENO, &saved))
		return;
	raw = saved;
	cfmakeraw(&raw);
	is_raw = !tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void terminal_restore(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	is_raw = 0;
}

int terminal_size(uint32_t size[2])
{
	struct winsize window;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &window))
		return -1;
	size[0] = window.ws_row;
	size[1] = window.ws_col;
	return 0;
}
