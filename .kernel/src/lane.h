/*
 * Declarations that the parts of the lane share. The lane is one executable in several roles:
 *   the supervisor on the host   (host.c and its helpers),
 *   pid 1 of the guest           (guest.c and its helpers),
 *   the guest's modprobe         (modules.c),
 *   the writer of an initramfs   (initramfs.c),
 *   the probe for SCTP           (main.c).
 * Host and guest exchange frames over one channel; see frame.c.
 */
#ifndef LANE_H
#define LANE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Exit statuses of the lane itself. All others come from the command. */
enum {
	LANE_TIME_LIMIT = 124, /* as timeout(1) */
	LANE_FAILED = 125,     /* as env(1), nohup(1), timeout(1) */
	LANE_CANNOT_RUN = 126, /* as a shell: found, but not executable */
	LANE_NOT_FOUND = 127,  /* as a shell */
};

/* ---- frames: frame.c ---- */

enum frame_type {
	/* guest to host */
	FRAME_UP = 'u',   /* the guest is ready; nothing may be sent to it before */
	FRAME_OUT = 'o',  /* bytes of standard output */
	FRAME_ERR = 'e',  /* bytes of standard error */
	FRAME_TOOK = 't', /* u32 bytes of input that the command took, u32 chunk files read */
	FRAME_EXIT = 'x', /* u32: the command's status; sent after all output */
	FRAME_FAIL = 'f', /* text: the reason that the guest could not run the command */
	/* host to guest */
	FRAME_IN = 'i',       /* bytes of standard input */
	FRAME_CHUNK = 'c',    /* u32 number, u32 length: input in the file in.<number> */
	FRAME_EOF = 'z',      /* end of standard input */
	FRAME_ROOM_OUT = 'O', /* u32: bytes of output written, which opens the window again */
	FRAME_ROOM_ERR = 'E',
	FRAME_SHUT_OUT = 'P', /* the output has no reader any more: SIGPIPE */
	FRAME_SHUT_ERR = 'Q',
	FRAME_SIGNAL = 's',   /* u32 number, u32 1 if for the process group */
	FRAME_SIZE = 'w',     /* u32 rows, u32 columns of the terminal */
};

enum {
	FRAME_MAX = 4096,          /* payload of one frame */
	INLINE_MAX = 512,          /* longer input goes through a chunk file, because a UML
	                            * serial line reads its host descriptor byte by byte */
	CHUNK_MAX = 256 * 1024,    /* size of a chunk file */
	IN_WINDOW = 4 * CHUNK_MAX, /* input sent and not yet taken by the command */
	OUT_WINDOW = 256 * 1024,   /* output sent and not yet written by the host */
};

struct frame {
	uint8_t type;
	uint16_t length;
	const uint8_t *data;
};

/* Received bytes, up to the last incomplete frame. */
struct inbox {
	uint8_t bytes[64 * 1024];
	size_t start, end;
};

ssize_t inbox_fill(struct inbox *box, int fd);
int inbox_next(struct inbox *box, struct frame *frame);
size_t frame_pack(uint8_t *to, uint8_t type, const void *data, size_t length);
uint32_t frame_u32(const struct frame *frame, int index);

/* ---- small helpers: util.c ---- */

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t now_ms(void);
char *slurp(int dir, const char *name, size_t *length);
char **split_nul(char *bytes, size_t length);
int write_all(int fd, const void *bytes, size_t length);
int write_file(const char *path, const char *text);
int is_under(const char *path, const char *folder);
void remove_tree(const char *path);

/* ---- roles: main.c calls one of them ---- */

/* Arguments of the supervisor, from the script `run`. */
struct request {
	const char *root;    /* the repository */
	int smp;             /* the kind of guest: QEMU, else UML */
	const char *kernel;  /* the UML executable, or the image that QEMU boots */
	const char *modules; /* folder with a folder for each kernel release, or "" */
	const char *target;  /* build products, writable in the guest */
	pid_t parent;        /* the process that started `run` */
	char **command;
};

int host_main(const struct request *request);
int guest_main(void);
int modprobe_main(int argc, char **argv);
int initramfs_main(char **entries);

#endif
