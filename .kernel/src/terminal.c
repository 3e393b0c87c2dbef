/* The host's terminal, when the command is run from one. */
#include "host.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static int is_raw;

/*
 * Which of the standard streams are the guest's terminal (bit 0 for stdin ...), 0 for none.
 * That takes both input and output: someone who pipes the output into a pager wants the
 * keyboard left alone. A background job must not touch the terminal at all.
 */
int terminal_mask(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return 0;
	pid_t front = tcgetpgrp(STDIN_FILENO);
	if (front > 0 && front != getpgrp())
		return 0;
	return 3 | (isatty(STDERR_FILENO) ? 4 : 0);
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
