/* The guest's configuration, read from the job folder. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* The value of `entry` if it is "key=value", else NULL. */
const char *setting(const char *entry, const char *key)
{
	size_t length = strlen(key);
	return !strncmp(entry, key, length) && entry[length] == '=' ? entry + length + 1 : NULL;
}

static const char *one(const struct config *config, const char *key)
{
	for (char **entry = config->settings; *entry; entry++)
		if (setting(*entry, key))
			return setting(*entry, key);
	return "";
}

static char **read_strings(int job, const char *name)
{
	size_t length;
	char *bytes = slurp(job, name, &length);
	char **strings = bytes ? split_nul(bytes, length) : NULL;
	if (!strings)
		guest_fail("cannot read %s in the job folder: %s", name, strerror(errno));
	return strings;
}

void config_read(struct config *config)
{
	config->kind = is_smp() ? "smp" : "uml";
	config->job = open(getenv("lane_job"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (config->job < 0)
		guest_fail("cannot open the job folder %s: %s", getenv("lane_job"), strerror(errno));
	config->argv = read_strings(config->job, "argv");
	config->env = read_strings(config->job, "env");
	config->settings = read_strings(config->job, "settings");
	config->cwd = one(config, "cwd");
	config->modules = one(config, "modules");
	config->tty_mask = atoi(one(config, "tty"));
	config->umask = (unsigned)strtoul(one(config, "umask"), NULL, 8);
	config->ignored = strtoull(one(config, "ignored"), NULL, 10);
}
