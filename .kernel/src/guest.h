/* The parts of pid 1, all in the guest. */
#ifndef GUEST_H
#define GUEST_H

#include "lane.h"

/* What the job folder says; job.c writes it. */
struct config {
	int job;           /* the folder */
	int line;          /* the line to the host */
	const char *kind;  /* of guest: uml or smp */
	char **argv, **env, **settings;
	const char *cwd;
	const char *modules;
	int tty_mask;      /* standard streams that are the terminal */
	unsigned umask;
	uint64_t ignored;  /* signals the caller ignores */
};

/* guest.c */
_Noreturn void guest_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void guest_exit(int code);
void guest_send(uint8_t type, const void *data, size_t length);
const char *setting(const char *entry, const char *key);

/* mounts.c */
void mounts_set_up(const struct config *config);
int write_file(const char *path, const char *text);

/* smp.c: what a guest in QEMU has to do to be like one in UML */
int is_smp(void);
void smp_find_devices(void);
const char *smp_line(void);
void smp_enter_host(void);
int smp_mount(const char *tag, const char *path, unsigned long flags);

/* modules.c */
void modules_set_up(const char *parent);
int module_load(const char *name);

/* command.c: the command, and the guest's ends of its streams */
struct stdio {
	int in, out, err;  /* -1 when there is none */
	int terminal;      /* the terminal's inner end, or -1; in and out are its outer end then */
};
pid_t command_start(const struct config *config, struct stdio *stdio);

/* session.c */
_Noreturn void session_run(const struct config *config);

#endif
