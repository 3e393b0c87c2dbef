/* The host's terminal, when the command is run from one. */
#include "host.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int is_raw;

/* Two runs that made one terminal raw would restore each other's settings: the first one has
 * it, for as long as its process lives. */
static int is_free(void)
{
	int terminal = open("/proc/self/fd/0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	return terminal < 0 || !flock(terminal, LOCK_EX | LOCK_NB);
}

/*
 * What this run does with standard input. A background job, or one beside another run, must
 * leave the terminal alone: reading would stop the one, and steal from the other.
 * The terminal is the guest's if it is both input and output; someone who pipes the output
 * elsewhere gets lines as the host's terminal makes them.
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

/* Every key goes to the guest, whose own terminal makes lines and signals of them. */
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
