/* Declarations that the parts of pid 1 in the guest share. */
#ifndef GUEST_H
#define GUEST_H

#include "lane.h"

/* Contents of the job folder, which job.c writes. */
struct config {
	int job;           /* the folder */
	int channel;       /* to the supervisor */
	const char *kind;  /* of guest: uml or smp */
	char **argv, **env, **settings;
	const char *cwd;
	const char *modules;
	int tty_mask;      /* standard streams that are the terminal, bit 0 for stdin */
	unsigned umask;
	uint64_t ignored;  /* signals the caller ignores */
};

/* channel.c */
int channel_open(int virtio);
_Noreturn void guest_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void guest_exit(int code);
void guest_send(uint8_t type, const void *data, size_t length);

/* config.c */
void config_read(struct config *config);
const char *setting(const char *entry, const char *key);

/* mounts.c */
void mounts_set_up(const struct config *config);

/* smp.c: steps that make a QEMU guest like a UML guest */
int is_smp(void);
void smp_find_devices(void);
void smp_enter_host(void);
int smp_mount(const char *tag, const char *path, unsigned long flags);

/* modules.c */
void modules_set_up(const char *parent);
int module_load(const char *name);

/* command.c: starts the command; the guest's ends of its streams */
struct stdio {
	int in, out, err;  /* -1 when there is none */
	int terminal;      /* the terminal's inner end, or -1; in and out are its outer end then */
};
pid_t command_start(const struct config *config, struct stdio *stdio);

/* session.c */
_Noreturn void session_run(const struct config *config);

#endif
