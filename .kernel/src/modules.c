/*
 * Kernel modules. The guest's kernel requests a missing module by running modprobe, which is this
 * executable. So a test that makes a veth interface or a netem queue declares nothing beforehand,
 * and unused modules cost nothing.
 */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* MODULE_INIT_COMPRESSED_FILE, in linux/module.h since 5.17. */
#define COMPRESSED_FILE 4

#define MODPROBE "/run/sctp-kernel/modprobe"
#define MODULES "/run/sctp-kernel/modules"

/* Replaces - by _ in a module name, where they are equivalent. */
static void normalise(char *to, size_t size, const char *name, size_t length)
{
	size_t i = 0;
	for (; i < length && i + 1 < size; i++)
		to[i] = name[i] == '-' ? '_' : name[i];
	to[i] = 0;
}

/* Extracts the module's name from a path such as kernel/net/sctp/sctp.ko. */
static void name_of(char *to, size_t size, const char *path, size_t length)
{
	const char *slash = memrchr(path, '/', length);
	const char *base = slash ? slash + 1 : path;
	size_t rest = length - (size_t)(base - path);
	const char *dot = memchr(base, '.', rest);
	normalise(to, size, base, dot ? (size_t)(dot - base) : rest);
}

/* ---- the tables that depmod made ---- */

static const char *table(const char *name)
{
	char path[256];
	size_t length;
	snprintf(path, sizeof path, MODULES "/%s", name);
	char *text = slurp(AT_FDCWD, path, &length);
	return text ? text : "";
}

/* Finds a module's line in a table whose lines begin with a path. */
static const char *line_of(const char *table, const char *name)
{
	for (const char *line = table; *line; line = strchr(line, '\n') + 1) {
		char found[128];
		name_of(found, sizeof found, line, strcspn(line, ":\n"));
		if (!strcmp(found, name))
			return line;
		if (!strchr(line, '\n'))
			break;
	}
	return NULL;
}

/* The line "path: dependencies" of a module. */
static const char *dep_line(const char *name)
{
	static const char *deps;
	if (!deps)
		deps = table("modules.dep");
	return line_of(deps, name);
}

static int insert(const char *path, size_t length)
{
	char full[4096];
	snprintf(full, sizeof full, MODULES "/%.*s", (int)length, path);
	int fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int flags = length > 3 && !memcmp(path + length - 3, ".ko", 3) ? 0 : COMPRESSED_FILE;
	int failed = syscall(SYS_finit_module, fd, "", flags) && errno != EEXIST;
	int reason = errno;
	close(fd);
	errno = reason;
	return failed ? -1 : 0;
}

static int load_by_name(const char *name);

/* Loads the dependencies, then the module. modules.dep lists all dependencies, in no fixed order. */
static int load_line(const char *line)
{
	size_t path = strcspn(line, ":"), end = strcspn(line, "\n");
	for (size_t at = path + 1; at < end;) {
		at += strspn(line + at, " ");
		size_t length = strcspn(line + at, " \n");
		char name[128];
		name_of(name, sizeof name, line + at, length);
		if (length && load_by_name(name))
			return -1;
		at += length;
	}
	return insert(line, path);
}

static int load_by_name(const char *name)
{
	char loaded[192];
	snprintf(loaded, sizeof loaded, "/sys/module/%s", name);
	if (!access(loaded, F_OK))
		return 0;
	const char *line = dep_line(name);
	if (line)
		return load_line(line);
	if (line_of(table("modules.builtin"), name))
		return 0;
	errno = ENOENT;
	return -1;
}

/* Compares up to the first wildcard before fnmatch, because most patterns differ there. */
static int matches(const char *pattern, size_t length, const char *alias)
{
	char copy[256];
	size_t literal = strcspn(pattern, "*?[\\ ");
	if (length >= sizeof copy || strncmp(pattern, alias, literal))
		return 0;
	memcpy(copy, pattern, length);
	copy[length] = 0;
	return !fnmatch(copy, alias, 0);
}

/* Searches modules.alias, with lines "alias PATTERN MODULE". The table of a kernel for all hardware
 * has a megabyte, so nothing here may scan beyond the end of the line. */
static int load_by_alias(const char *alias)
{
	static const char key[] = "alias ";
	int found = -1;
	for (const char *line = table("modules.alias"), *end; (end = strchr(line, '\n')); line = end + 1) {
		if (strncmp(line, key, strlen(key)))
			continue;
		const char *pattern = line + strlen(key);
		size_t length = strcspn(pattern, " \n");
		if (pattern[length] != ' ' || !matches(pattern, length, alias))
			continue;
		const char *module = pattern + length + 1;
		char name[128];
		normalise(name, sizeof name, module, (size_t)(end - module));
		if (!load_by_name(name))
			found = 0;
	}
	return found;
}

int module_load(const char *name)
{
	char plain[128];
	normalise(plain, sizeof plain, name, strlen(name));
	if (!load_by_name(plain))
		return 0;
	return errno == ENOENT ? load_by_alias(name) : -1;
}

/* Called by the kernel as modprobe -q -- NAME. */
int modprobe_main(int argc, char **argv)
{
	return argc < 2 || module_load(argv[argc - 1]);
}

/* Makes the modules in `parent`/<release of the running kernel> loadable. */
void modules_set_up(const char *parent)
{
	struct utsname kernel;
	char folder[4096];
	if (!*parent)
		return;
	uname(&kernel);
	snprintf(folder, sizeof folder, "%s/%s", parent, kernel.release);
	if (symlink(folder, MODULES) || symlink(getenv("lane_init"), MODPROBE))
		guest_fail("cannot make links in /run: %s", strerror(errno));
	write_file("/proc/sys/kernel/modprobe", MODPROBE);
	/* For the modprobe of the host's files, if this mount point exists there. */
	mount(parent, "/lib/modules", NULL, MS_BIND, NULL);
}
