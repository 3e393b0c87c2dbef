/*
 * The job folder, which describes the command to the guest. The guest only reads it, since its
 * root is the host's, read-only; it answers over the channel.
 *   argv, env  the command and its environment, NUL after each string
 *   settings   key=value, NUL after each; see config.c for the keys
 *   termios    the terminal's settings, if there is a terminal
 *   in.<n>     standard input on its way to the guest
 *   console    the guest kernel's messages
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

static FILE *job_file(const struct job *job, const char *name)
{
	int fd = openat(job->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		fail("cannot write %s/%s: %s", job->dir, name, strerror(errno));
	return file;
}

static void job_close(FILE *file)
{
	if (ferror(file) | fclose(file))
		fail("cannot write the job folder: %s", strerror(errno));
}

static void put_strings(const struct job *job, const char *name, char **strings)
{
	FILE *file = job_file(job, name);
	for (; *strings; strings++)
		fwrite(*strings, 1, strlen(*strings) + 1, file);
	job_close(file);
}

static void put(FILE *file, const char *key, const char *value)
{
	fprintf(file, "%s=%s%c", key, value, 0);
}

/* Writes each word of an environment variable; `separators` are between the words. */
static void put_words(FILE *file, const char *key, const char *variable, const char *separators)
{
	const char *value = getenv(variable);
	char *copy = value ? strdup(value) : NULL, *rest = NULL;
	for (char *word = copy ? strtok_r(copy, separators, &rest) : NULL; word;
	     word = strtok_r(NULL, separators, &rest))
		put(file, key, word);
	free(copy);
}

static void add_folder(struct folders *folders, const char *path)
{
	char *real = path && *path ? realpath(path, NULL) : NULL;
	/* The root stays read-only even as current directory; the guest has its own /proc and /sys. */
	if (!real || !strcmp(real, "/") || is_under(real, "/proc") || is_under(real, "/sys") || folders->count == 64) {
		free(real);
		return;
	}
	folders->path[folders->count++] = real;
}

static int by_length(const void *a, const void *b)
{
	size_t left = strlen(*(char *const *)a), right = strlen(*(char *const *)b);
	return (left > right) - (left < right);
}

static int covered(const struct folders *folders, int index)
{
	for (int i = 0; i < index; i++)
		if (is_under(folders->path[index], folders->path[i]))
			return 1;
	return 0;
}

static void put_writable(FILE *file, struct job *job, const struct request *request, const char *cwd)
{
	struct folders folders = {0};
	add_folder(&folders, request->root);
	add_folder(&folders, request->target);
	add_folder(&folders, cwd);
	add_folder(&folders, "/tmp");
	add_folder(&folders, getenv("TMPDIR"));
	char *extra = getenv("SCTP_KERNEL_WRITABLE"), *rest = NULL;
	extra = extra ? strdup(extra) : NULL;
	for (char *one = extra ? strtok_r(extra, ":", &rest) : NULL; one; one = strtok_r(NULL, ":", &rest)) {
		if (access(one, W_OK))
			complain("SCTP_KERNEL_WRITABLE: %s: %s", one, strerror(errno));
		add_folder(&folders, one);
	}
	free(extra);
	/* Outer folders first, because a mount hides earlier mounts inside it. */
	qsort(folders.path, (size_t)folders.count, sizeof *folders.path, by_length);
	for (int i = 0; i < folders.count; i++)
		if (!covered(&folders, i)) {
			put(file, "writable", folders.path[i]);
			job->writable.path[job->writable.count++] = folders.path[i];
		}
}

/* Signals ignored on entry. They stay ignored in the command, as exec(3) demands. */
static unsigned long long ignored_signals(void)
{
	unsigned long long mask = 0;
	for (int number = 1; number < 64; number++) {
		struct sigaction action;
		if (!sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN)
			mask |= 1ULL << number;
	}
	return mask;
}

static void put_settings(struct job *job, const struct request *request, int tty_mask)
{
	FILE *file = job_file(job, "settings");
	char number[32];
	char *cwd = getcwd(NULL, 0);
	if (!cwd)
		fail("cannot find the current directory: %s", strerror(errno));
	put(file, "cwd", cwd);
	put_writable(file, job, request, cwd);
	free(cwd);
	put_words(file, "sysctl", "SCTP_KERNEL_SYSCTL", " \t\n");
	put_words(file, "module", "SCTP_KERNEL_MODULES", " \t\n");
	if (*request->modules)
		put(file, "modules", request->modules);
	mode_t mask = umask(0);
	umask(mask);
	snprintf(number, sizeof number, "%o", (unsigned)mask);
	put(file, "umask", number);
	snprintf(number, sizeof number, "%llu", ignored_signals());
	put(file, "ignored", number);
	snprintf(number, sizeof number, "%d", tty_mask);
	put(file, "tty", number);
	job_close(file);
}

static void put_termios(const struct job *job)
{
	struct termios settings;
	if (tcgetattr(STDIN_FILENO, &settings))
		return;
	FILE *file = job_file(job, "termios");
	fwrite(&settings, sizeof settings, 1, file);
	job_close(file);
}

void job_create(struct job *job, const struct request *request, int tty_mask)
{
	const char *parent = getenv("TMPDIR");
	char *real = realpath(parent && *parent ? parent : "/tmp", NULL);
	/* The guest has its own /dev and does not see the host's /dev/shm. */
	if (real && is_under(real, "/dev"))
		real = strdup("/tmp");
	if (!real)
		fail("no temporary folder %s: %s", parent ? parent : "/tmp", strerror(errno));
	char dir[sizeof job->dir];
	snprintf(dir, sizeof dir, "%s/sctp-kernel.XXXXXX", real);
	free(real);
	if (!mkdtemp(dir))
		fail("cannot make %s: %s", dir, strerror(errno));
	strcpy(job->dir, dir);
	job->fd = open(job->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	job->memory = request->smp ? NULL : memory_folder(request->target);
	put_strings(job, "argv", request->command);
	put_strings(job, "env", environ);
	put_settings(job, request, tty_mask);
	if (tty_mask)
		put_termios(job);
}
