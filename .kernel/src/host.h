/* The supervisor's parts, all on the host. */
#ifndef HOST_H
#define HOST_H

#include "lane.h"

/* job.c: the folder through which a guest learns what to run */
struct job {
	char dir[4096];
	int fd;
	const char *memory; /* the folder behind a UML guest's memory */
	struct folders {    /* writable in the guest, at most one for each place */
		char *path[64];
		int count;
	} writable;
};
void job_create(struct job *job, const struct request *request, int tty_mask);

/* terminal.c */
enum input {
	INPUT_NONE,     /* as if it were at its end */
	INPUT_PLAIN,    /* bytes, to be passed on as they come */
	INPUT_TERMINAL, /* a terminal, which becomes the guest's */
};
enum input terminal_use(void);
void terminal_raw(void);
void terminal_restore(void);
int terminal_size(uint32_t size[2]);

/* place.c: where a guest's memory and its processor are */
const char *memory_size(void);
const char *memory_folder(const char *last_resort);
int claim_cpu(void);

/* start.c: what all kinds of guests need */
enum { CHANNEL_FD = 3, CONSOLE_FD = 4 }; /* descriptors of the guest's process */
void start_ready(const struct job *job, int channel);
char *word(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* uml.c and qemu.c: become the guest; `channel` is its end of the line */
_Noreturn void uml_exec(const struct request *request, const struct job *job, int channel, int cpu);
_Noreturn void qemu_exec(const struct request *request, const struct job *job, int channel);

/* keeper.c: the guest's parent, which outlives the supervisor */
struct keeper {
	pid_t pid;
	pid_t guest;  /* also the guest's process group */
	int life;     /* closing it ends the guest */
	int report;   /* gives the guest's wait status */
};
void keeper_start(struct keeper *keeper, const struct request *request, const struct job *job,
                  int channel, int other_end);
void keeper_stop(struct keeper *keeper);

/* streams.c: the three standard streams on the host's side */
struct outlet {
	int fd;
	uint8_t room, shut; /* frames that tell the guest about it */
	int closed;
	uint32_t written;   /* since the guest was last told */
	size_t start, end;
	uint8_t bytes[OUT_WINDOW];
};
struct sender {
	int fd;
	size_t start, end;
	uint8_t bytes[64 * 1024];
};
struct inlet {
	int open, raw;
	uint32_t number;     /* of the next chunk file */
	uint32_t removed;    /* chunk files below this one are gone */
	size_t outstanding;  /* sent, not taken */
	uint64_t escape[3];  /* when Ctrl-] was typed */
};
void sender_put(struct sender *sender, uint8_t type, const void *data, size_t length);
void sender_put_u32(struct sender *sender, uint8_t type, uint32_t a, uint32_t b);
int sender_flush(struct sender *sender);
int outlet_put(struct outlet *outlet, const struct frame *frame);
void outlet_flush(struct outlet *outlet, struct sender *sender);
int inlet_wants(const struct inlet *inlet, const struct sender *sender);
int inlet_read(struct inlet *inlet, struct sender *sender, const struct job *job);

void inlet_took(struct inlet *inlet, const struct job *job, uint32_t bytes, uint32_t files);

/* host.c: the state of the one run */
struct lane {
	const struct request *request;
	struct job job;
	struct keeper keeper;
	struct inbox inbox;
	struct sender sender;
	struct outlet out, err;
	struct inlet in;
	int signals;
	int up;    /* the guest listens */
	int ended; /* no frames count any more */
	int code;  /* to exit with once the output is written */
};
extern struct lane lane;
void finish(int code);
void send_size(void);

/* ending.c: signals, time limits and the guest's death */
int signals_set_up(void);
void signals_take(void);
void end_by(int number, int group);
void time_set_up(void);
void time_check(void);
int time_to_wait(void);
int final_code(void);
void report_death(void);

#endif
